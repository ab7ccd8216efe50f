import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  CreateFunctionCommand,
  LambdaClient,
  type CreateFunctionCommandOutput,
} from '@aws-sdk/client-lambda';
import type { CodeStore, StoredCode } from '../artifacts/code-store.ts';
import type { Clock } from '../clock/clock.ts';
import { ManualClock } from '../clock/manual-clock.ts';
import type { FunctionVersion } from '../domain/function.ts';
import type { Invocation, Outcome } from '../domain/invocation.ts';
import { ServiceError } from '../domain/service-error.ts';
import type { Invoker } from '../invoke/invoker.ts';
import { CachedFunctionRegistry } from '../registry/cached-function-registry.ts';
import { CachedLayerRegistry } from '../registry/cached-layer-registry.ts';
import { FunctionActivation } from '../registry/function-activation.ts';
import { MemoryFunctionStore } from '../store/memory/memory-function-store.ts';
import { MemoryLayerStore } from '../store/memory/memory-layer-store.ts';
import { codeDownloadRoute } from './code-download.ts';
import { HttpServer } from './http-server.ts';
import { createLambdaApi, type LambdaApiOptions } from './lambda-api.ts';
import { layerDownloadRoute } from './layer-download.ts';

/** Archives in memory. Takes any bytes but the text `bad`, which stands for a refused archive. */
export class MemoryCodeStore implements CodeStore {
  readonly archives = new Map<string, Buffer>();
  /** Awaited before an archive is stored. */
  beforePut: () => Promise<void> = () => Promise.resolve();

  async put(archive: Uint8Array): Promise<StoredCode> {
    await this.beforePut();
    const bytes = Buffer.from(archive);
    if (bytes.toString() === 'bad') {
      throw new ServiceError('InvalidParameterValueException', 'Could not unzip uploaded file.');
    }
    const sha256 = createHash('sha256').update(bytes).digest('base64');
    this.archives.set(sha256, bytes);
    return { sha256, sizeBytes: bytes.length };
  }

  directory(sha256: string): string {
    return `/code/${sha256}`;
  }

  archive(sha256: string): NodeJS.ReadableStream {
    return Readable.from([this.archives.get(sha256) ?? Buffer.alloc(0)]);
  }

  has(sha256: string): Promise<boolean> {
    return Promise.resolve(this.archives.has(sha256));
  }

  keep(sha256: string): Promise<boolean> {
    return this.has(sha256);
  }

  /** As if nothing in it were compressed, but for what a test has said of its size. */
  readonly unzipped = new Map<string, number>();

  unzippedBytes(sha256: string): Promise<number> {
    const archive = this.archives.get(sha256);
    return Promise.resolve(this.unzipped.get(archive?.toString() ?? '') ?? archive?.length ?? 0);
  }

  retain(sha256s: ReadonlySet<string>): Promise<void> {
    for (const sha256 of this.archives.keys()) {
      if (!sha256s.has(sha256)) this.archives.delete(sha256);
    }
    return Promise.resolve();
  }
}

/** Answers every event with what it is told to, the event itself at first, and keeps the calls. */
export class FakeInvoker implements Invoker {
  readonly calls: { readonly version: FunctionVersion; readonly invocation: Invocation }[] = [];
  answer: (invocation: Invocation) => Partial<Outcome> | Promise<Partial<Outcome>> = () => ({});

  async invoke(version: FunctionVersion, invocation: Invocation): Promise<Outcome> {
    this.calls.push({ version, invocation });
    const answer = await this.answer(invocation);
    return {
      kind: 'success',
      payload: invocation.payload,
      contentType: 'application/json',
      executedVersion: version.version,
      ...answer,
    };
  }
}

export interface ApiFixture extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly registry: CachedFunctionRegistry;
  readonly codeStore: MemoryCodeStore;
  readonly layers: CachedLayerRegistry;
  /** Lists of layers that were merged, by their content. */
  readonly merged: string[][];
  readonly invoker: FakeInvoker;
  readonly faults: unknown[];
  /** Creates HELLO with `input` on top, which may be wrong. */
  create(input?: object): Promise<CreateFunctionCommandOutput>;
  createActive(input?: object): Promise<void>;
  /** Ends the transitional state that a function is in; settles when that is stored. */
  activateAll(): Promise<void>;
  /** An SDK client of an account and region; it does not retry. */
  client(accessKeyId?: string, region?: string): LambdaClient;
}

export interface FixtureOptions extends Partial<
  Pick<LambdaApiOptions, 'runtimeAvailability' | 'runtimeVersionArn' | 'hotReloadRoots'>
> {
  /** The default stands still, and with it every state, until `activateAll`. */
  readonly clock?: Clock;
}

/** The whole API on a free port of 127.0.0.1, with nothing faked but the code store and the invoker. */
export async function startApi(options: FixtureOptions = {}): Promise<ApiFixture> {
  const clock = options.clock ?? new ManualClock();
  const faults: unknown[] = [];
  const onFault = (error: unknown): void => void faults.push(error);
  const codeStore = new MemoryCodeStore();
  const invoker = new FakeInvoker();
  const registry = await CachedFunctionRegistry.load(new MemoryFunctionStore());
  const layers = await CachedLayerRegistry.load(new MemoryLayerStore());
  const merged: string[][] = [];
  const activation = new FunctionActivation({ registry, codeStore, clock, onFault });
  const server = new HttpServer({
    adminRoutes: [codeDownloadRoute(registry, codeStore), layerDownloadRoute(layers, codeStore)],
    lambdaApi: createLambdaApi({
      ...options,
      registry,
      codeStore,
      layers,
      layerFolders: {
        prepare: (references) => {
          merged.push(references.map(({ sha256 }) => sha256));
          return Promise.resolve();
        },
      },
      clock,
      invoker,
      activate: (version) => {
        activation.schedule(version);
        return Promise.resolve();
      },
      defaults: { accountId: '000000000000', region: 'us-east-1' },
      onFault,
    }),
    ownHosts: ['lambda.example.test'],
    clock,
    onFault,
  });
  const port = await server.listen(0, '127.0.0.1');
  const url = `http://127.0.0.1:${port}`;
  const clients: LambdaClient[] = [];
  const client = (accessKeyId = 'AKIAIOSFODNN7EXAMPLE', region = 'us-east-1'): LambdaClient => {
    const credentials = { accessKeyId, secretAccessKey: 'secret' };
    const sdk = new LambdaClient({ endpoint: url, region, credentials, maxAttempts: 1 });
    clients.push(sdk);
    return sdk;
  };
  const create = (input: object = {}): Promise<CreateFunctionCommandOutput> =>
    client().send(new CreateFunctionCommand({ ...HELLO, ...input }));
  const activateAll = async (): Promise<void> => {
    const changed = Promise.withResolvers<void>();
    const stop = registry.onChange(() => changed.resolve());
    if (clock instanceof ManualClock) clock.advance(0);
    await changed.promise;
    stop();
  };
  return {
    url,
    port,
    registry,
    codeStore,
    layers,
    merged,
    invoker,
    faults,
    client,
    create,
    async createActive(input) {
      await create(input);
      await activateAll();
    },
    activateAll,
    async [Symbol.asyncDispose]() {
      for (const sdk of clients) sdk.destroy();
      activation[Symbol.dispose]();
      await server.close(1_000);
    },
  };
}

/** What a failed call says: name, status and message. */
export async function failureOf(
  call: Promise<unknown>,
): Promise<{ name: string; status: number | undefined; message: string }> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const metadata = '$metadata' in error ? error.$metadata : undefined;
    const status =
      typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata
        ? Number(metadata.httpStatusCode)
        : undefined;
    return { name: error.name, status, message: error.message };
  }
  throw new Error('Expected the call to fail, and it did not');
}

/** Settings that are valid; a test adds what it is about. */
export const HELLO = {
  FunctionName: 'hello',
  Runtime: 'nodejs22.x',
  Role: 'arn:aws:iam::000000000000:role/r',
  Handler: 'index.handler',
  Code: { ZipFile: Buffer.from('zip') },
} as const;
