import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';

import type { Example } from './example.ts';

const WARM_INVOCATIONS = 9;

/** Times that the client saw, from the request to the whole answer, in milliseconds. */
export interface Measurement {
  readonly coldMs: number;
  /** Median of several invocations after the first. */
  readonly warmMs: number;
}

/** A function answered with an error. */
export class FunctionError extends Error {
  override readonly name = 'FunctionError';
}

/** Invokes a function that has no execution environment yet, then again while it has one. */
export async function measure(client: LambdaClient, example: Example): Promise<Measurement> {
  const coldMs = await timedInvoke(client, example);
  const warm: number[] = [];
  for (let i = 0; i < WARM_INVOCATIONS; i += 1) warm.push(await timedInvoke(client, example));
  warm.sort((a, b) => a - b);
  return { coldMs, warmMs: warm[(WARM_INVOCATIONS - 1) / 2] ?? Number.NaN };
}

async function timedInvoke(client: LambdaClient, example: Example): Promise<number> {
  const command = new InvokeCommand({
    FunctionName: example.functionName,
    Payload: Buffer.from(JSON.stringify(example.event)),
  });
  const startedAt = performance.now();
  const { FunctionError: kind, Payload: payload } = await client.send(command);
  const elapsedMs = performance.now() - startedAt;
  if (kind !== undefined) throw new FunctionError(payload?.transformToString() ?? kind);
  return elapsedMs;
}
