import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { request as httpRequest } from 'node:http';
import { CommandError } from './command.ts';
import { asObject, textField } from './json-fields.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface ApiClientOptions {
  /** Address of the server, without a slash at its end. */
  readonly endpoint: string;
  readonly region: string;
  /** Without them requests are not signed. */
  readonly credentials?: Credentials;
  readonly signal: AbortSignal;
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Already percent-encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

export interface ApiResponse {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** An error that the API answered. */
export class ApiError extends CommandError {
  readonly status: number;
  /** `ResourceNotFoundException` … */
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message === '' ? code : `${code}: ${message}`);
    this.status = status;
    this.code = code;
  }
}

/** More than any answer of the API; a server that sends more is no Hearth. */
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;

/** Speaks the Lambda API: signs, sends, and turns error bodies into ApiError. Rejects with CommandError. */
export class ApiClient {
  readonly region: string;
  readonly #options: ApiClientOptions;

  constructor(options: ApiClientOptions) {
    this.region = options.region;
    this.#options = options;
  }

  /** The whole answer to a request that succeeded. */
  async send(request: ApiRequest): Promise<ApiResponse> {
    const response = await this.open(request);
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: await readBody(response),
    };
  }

  /** Sends and receives JSON. */
  async json(request: Omit<ApiRequest, 'body'>, body?: object): Promise<unknown> {
    const content =
      body === undefined
        ? {}
        : {
            body: JSON.stringify(body),
            headers: { ...request.headers, 'content-type': 'application/json' },
          };
    const response = await this.send({ ...request, ...content });
    return response.body.length === 0 ? {} : parseJson(response.body, this.#options.endpoint);
  }

  /** The answer as it arrives, once it is known to be a success. */
  async open(request: ApiRequest): Promise<IncomingMessage> {
    const response = await this.#exchange(request);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    throw errorOf(status, response.headers, await readBody(response));
  }

  async #exchange(request: ApiRequest): Promise<IncomingMessage> {
    const { endpoint, signal } = this.#options;
    const url = new URL(endpoint + request.path);
    for (const [name, value] of Object.entries(request.query ?? {})) {
      url.searchParams.set(name, value);
    }
    const body = Buffer.from(request.body ?? '');
    const headers = await this.#sign(request, url, body);
    const connect = url.protocol === 'https:' ? (await import('node:https')).request : httpRequest;
    return new Promise((resolve, reject) => {
      const outgoing = connect(url, { method: request.method, headers, agent: false, signal });
      outgoing.once('response', resolve);
      outgoing.once('error', (error) => {
        reject(signal.aborted ? error : unreachable(endpoint, error));
      });
      outgoing.end(body);
    });
  }

  async #sign(request: ApiRequest, url: URL, body: Buffer): Promise<Record<string, string>> {
    const { region, credentials } = this.#options;
    const headers = {
      ...request.headers,
      host: url.host,
      'content-length': String(body.length),
      // The native hash: the signer's own would take seconds for a large archive.
      'x-amz-content-sha256': createHash('sha256').update(body).digest('hex'),
    };
    if (credentials === undefined) return headers;
    const [{ SignatureV4 }, { Sha256 }] = await Promise.all([
      import('@smithy/signature-v4'),
      import('@aws-crypto/sha256-js'),
    ]);
    const signer = new SignatureV4({ service: 'lambda', region, credentials, sha256: Sha256 });
    const signed = await signer.sign({
      method: request.method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers,
    });
    return signed.headers;
  }
}

/** Path of a function's resource; the name may be an ARN. */
export function functionPath(name: string, resource = ''): string {
  return `/2015-03-31/functions/${encodeURIComponent(name)}${resource}`;
}

async function readBody(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    const bytes = Buffer.from(chunk);
    length += bytes.length;
    if (length > MAX_RESPONSE_BYTES) {
      response.destroy();
      throw new CommandError(
        `Cannot read the answer as it is longer than ${MAX_RESPONSE_BYTES} bytes`,
      );
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

function parseJson(body: Buffer, endpoint: string): unknown {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return value;
  } catch (error) {
    throw new CommandError(`Cannot read the answer of ${endpoint} as it is not JSON`, {
      cause: error,
    });
  }
}

function errorOf(status: number, headers: IncomingMessage['headers'], body: Buffer): ApiError {
  let content: unknown;
  try {
    content = JSON.parse(body.toString('utf8'));
  } catch {
    content = {};
  }
  const message = textField(content, 'message') ?? textField(content, 'Message') ?? '';
  const header = headers['x-amzn-errortype'];
  // Some services add `:http://…` to the name.
  const named = typeof header === 'string' ? header.split(':')[0] : asObject(content)['__type'];
  return new ApiError(
    status,
    typeof named === 'string' && named !== '' ? named : `HTTP ${status}`,
    message,
  );
}

function unreachable(endpoint: string, error: Error): CommandError {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.message;
  if (code === 'ECONNREFUSED') {
    return new CommandError(
      `Cannot reach Hearth at ${endpoint} as nothing listens there: start it with "hearth start", or name its address with --endpoint`,
      { cause: error },
    );
  }
  return new CommandError(`Cannot reach Hearth at ${endpoint}: ${code}`, { cause: error });
}
