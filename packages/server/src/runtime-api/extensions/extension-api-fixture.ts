import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Clock } from '../../clock/clock.ts';
import { SystemClock } from '../../clock/system-clock.ts';
import { ListeningApi } from '../http/raw-runtime-fixture.ts';
import { TelemetryRoutes } from '../telemetry/telemetry-routes.ts';
import { TelemetryStreams } from '../telemetry/telemetry-streams.ts';
import { ExtensionRegistry } from './extension-registry.ts';
import { ExtensionRoutes } from './extension-routes.ts';

/** The APIs for extensions as an environment serves them, on a port of this machine. */
export class ExtensionApiFixture implements AsyncDisposable {
  readonly registry: ExtensionRegistry;
  readonly streams: TelemetryStreams;
  readonly served: ListeningApi;
  /** The server's ends of the connections on which something was asked, in that order. */
  readonly asked: Socket[];
  /** What subscribed, for the TELEMETRY lines. */
  readonly subscriptions: { name: string; types: readonly string[] }[];

  private constructor(
    registry: ExtensionRegistry,
    streams: TelemetryStreams,
    served: ListeningApi,
    subscriptions: { name: string; types: readonly string[] }[],
    asked: Socket[],
  ) {
    this.asked = asked;
    this.registry = registry;
    this.streams = streams;
    this.served = served;
    this.subscriptions = subscriptions;
  }

  static async start(clock: Clock = new SystemClock()): Promise<ExtensionApiFixture> {
    const registry = new ExtensionRegistry(clock);
    const subscriptions: { name: string; types: readonly string[] }[] = [];
    const streams = new TelemetryStreams({
      clock,
      connect: connectLocally,
      onSubscribed: (_api, name, types) => void subscriptions.push({ name, types }),
    });
    const extensions = new ExtensionRoutes(registry, () => ({
      functionName: 'f',
      functionVersion: '$LATEST',
      handler: 'index.handler',
      accountId: '123456789012',
    }));
    const telemetry = new TelemetryRoutes(registry, streams);
    const asked: Socket[] = [];
    const served = await ListeningApi.start({
      runtime: 'http',
      routes: {
        handle: (request, response) => {
          asked.push(request.socket);
          return extensions.handle(request, response) || telemetry.handle(request, response);
        },
      },
    });
    return new ExtensionApiFixture(registry, streams, served, subscriptions, asked);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.registry[Symbol.dispose]();
    this.streams[Symbol.dispose]();
    await this.served[Symbol.asyncDispose]();
  }
}

/** A program that says in lines of JSON what it was told. */
export class ExtensionProgram implements AsyncDisposable {
  readonly exited: Promise<unknown[]>;
  readonly #child: ChildProcess;
  readonly #said: Record<string, unknown>[] = [];
  #wake: () => void = () => {};

  constructor(program: string, args: readonly string[], runtimeApi: string) {
    this.#child = spawn(program, args, {
      env: { PATH: process.env['PATH'] ?? '', AWS_LAMBDA_RUNTIME_API: runtimeApi },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.exited = once(this.#child, 'exit');
    if (this.#child.stdout === null) throw new Error('The program must have a stdout');
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#said.push(JSON.parse(line) as Record<string, unknown>);
      this.#wake();
    });
  }

  /** The next thing it says of this kind; what it says of others waits. */
  async says(kind: string): Promise<Record<string, unknown>> {
    for (;;) {
      const at = this.#said.findIndex((said) => kind in said);
      const [said] = at === -1 ? [] : this.#said.splice(at, 1);
      if (said !== undefined) return said;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await this.exited;
  }
}

async function connectLocally(port: number, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', signal });
  await once(socket, 'connect', { signal });
  return socket;
}
