import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import {
  CreateFunctionCommand,
  GetFunctionConfigurationCommand,
  ResourceNotFoundException,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  type FunctionConfiguration,
  type LambdaClient,
} from '@aws-sdk/client-lambda';

import { packExample, type Example } from './example.ts';

const ACTIVE_WITHIN_MS = 30_000;

/** `found` where a start before this one has deployed it and nothing has changed since. */
export type Deployment = 'created' | 'updated' | 'found';

/** Makes the function be what the example's folder says, and waits until it can be invoked. */
export async function deploy(
  client: LambdaClient,
  example: Example,
  accountId: string,
): Promise<Deployment> {
  const archive = await packExample(example);
  const existing = await find(client, example.functionName);
  const deployment =
    existing === undefined
      ? await create(client, example, archive, accountId)
      : await update(client, example, archive, existing);
  await untilActive(client, example.functionName);
  return deployment;
}

async function create(
  client: LambdaClient,
  example: Example,
  archive: Uint8Array,
  accountId: string,
): Promise<Deployment> {
  await client.send(
    new CreateFunctionCommand({
      ...settings(example),
      Role: `arn:aws:iam::${accountId}:role/example`,
      Code: { ZipFile: archive },
    }),
  );
  return 'created';
}

async function update(
  client: LambdaClient,
  example: Example,
  archive: Uint8Array,
  existing: FunctionConfiguration,
): Promise<Deployment> {
  let deployment: Deployment = 'found';
  if (existing.CodeSha256 !== createHash('sha256').update(archive).digest('base64')) {
    await client.send(
      new UpdateFunctionCodeCommand({ FunctionName: example.functionName, ZipFile: archive }),
    );
    await untilActive(client, example.functionName);
    deployment = 'updated';
  }
  const wanted = settings(example);
  if (Object.entries(wanted).some(([name, value]) => Reflect.get(existing, name) !== value)) {
    await client.send(new UpdateFunctionConfigurationCommand(wanted));
    deployment = 'updated';
  }
  return deployment;
}

function settings(example: Example) {
  return {
    FunctionName: example.functionName,
    Description: example.what,
    Runtime: example.runtime,
    Handler: example.handler,
    Timeout: example.timeoutSeconds ?? 3,
    MemorySize: example.memoryMb ?? 128,
  };
}

async function find(
  client: LambdaClient,
  functionName: string,
): Promise<FunctionConfiguration | undefined> {
  try {
    return await client.send(new GetFunctionConfigurationCommand({ FunctionName: functionName }));
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}

async function untilActive(client: LambdaClient, functionName: string): Promise<void> {
  const signal = AbortSignal.timeout(ACTIVE_WITHIN_MS);
  for (;;) {
    const state = await find(client, functionName);
    if (state?.State === 'Failed') throw new Error(state.StateReason ?? 'the function has failed');
    if (state?.State === 'Active' && state.LastUpdateStatus === 'Successful') return;
    await delay(20, undefined, { signal });
  }
}
