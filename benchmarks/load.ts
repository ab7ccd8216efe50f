import { HttpConnection } from './http-connection.ts';
import { percentile } from './percentile.ts';

/** What a number of clients saw, each sending its next request when it has the answer to the last. */
export interface Load {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface LoadOptions {
  readonly endpoint: string;
  readonly request: Uint8Array;
  readonly clients: number;
  /** All clients together. */
  readonly requests: number;
  /** Stops there even where requests are left, so that a slow server cannot hold the run up. */
  readonly limitMs: number;
}

/** Throws where an answer is not 200, or is a function's error. */
export async function putLoad(options: LoadOptions): Promise<Load> {
  using stack = new DisposableStack();
  const connections = await Promise.all(
    Array.from({ length: options.clients }, () => HttpConnection.open(options.endpoint)),
  );
  for (const connection of connections) stack.use(connection);
  const timesUs: number[] = [];
  let left = options.requests;
  const startedAt = performance.now();
  await Promise.all(
    connections.map(async (connection) => {
      while (left > 0 && performance.now() - startedAt < options.limitMs) {
        left -= 1;
        const sentAt = performance.now();
        const { status, head, body } = await connection.send(options.request);
        timesUs.push((performance.now() - sentAt) * 1000);
        if (status !== 200 || /\r\nx-amz-function-error:/i.test(head)) {
          throw new Error(`Cannot measure as an answer is an error: ${head}\n${body.toString()}`);
        }
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    requests: timesUs.length,
    requestsPerSecond: timesUs.length / seconds,
    p50Us: percentile(timesUs, 0.5),
    p99Us: percentile(timesUs, 0.99),
  };
}
