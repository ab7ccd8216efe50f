import {
  CreateFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
  type LambdaClient,
} from '@aws-sdk/client-lambda';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SystemClock } from '../../clock/system-clock.ts';
import { failureOf, HELLO, startApi, type ApiFixture } from '../lambda-api-fixture.ts';

const ARN = 'arn:aws:lambda:us-east-1:000000000000:function:hello';

let api: ApiFixture;
let client: LambdaClient;

beforeEach(async () => {
  api = await startApi();
  client = api.client();
});

afterEach(() => api[Symbol.asyncDispose]());

const update = (input: object): Promise<unknown> =>
  client.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'hello', ...input }));

const updateCode = (input: object): Promise<unknown> =>
  client.send(new UpdateFunctionCodeCommand({ FunctionName: 'hello', ...input }));

describe('states', () => {
  test('Pending becomes Active, with a new revision', async () => {
    const created = await client.send(new CreateFunctionCommand(HELLO));
    await api.activateAll();
    const read = await client.send(new GetFunctionConfigurationCommand({ FunctionName: 'hello' }));
    expect(read).toMatchObject({ State: 'Active', LastUpdateStatus: 'Successful' });
    expect(read.StateReason).toBeUndefined();
    expect(read.RevisionId).not.toBe(created.RevisionId);
  });

  test('a function that is Pending can be neither invoked nor updated', async () => {
    await api.create();
    const conflict = {
      name: 'ResourceConflictException',
      status: 409,
      message:
        'The operation cannot be performed at this time. The function is currently in the following state: Pending',
    };
    expect(await failureOf(client.send(new InvokeCommand({ FunctionName: 'hello' })))).toEqual(
      conflict,
    );
    expect(await failureOf(update({ Timeout: 5 }))).toEqual(conflict);
  });

  test('while an update is in progress another one is refused and the function serves', async () => {
    await api.createActive();
    await expect(update({ Timeout: 5 })).resolves.toMatchObject({
      State: 'Active',
      LastUpdateStatus: 'InProgress',
      LastUpdateStatusReason: 'The function is being created.',
      LastUpdateStatusReasonCode: 'Creating',
    });
    expect(await failureOf(update({ Timeout: 6 }))).toEqual({
      name: 'ResourceConflictException',
      status: 409,
      message: `The operation cannot be performed at this time. An update is in progress for resource: ${ARN}`,
    });
    const invoked = await client.send(new InvokeCommand({ FunctionName: 'hello' }));
    expect(invoked.StatusCode).toBe(200);
    await api.activateAll();
    await expect(update({ Timeout: 6 })).resolves.toMatchObject({ Timeout: 6 });
  });

  test("the SDK's waiters see the end of a creation and of an update", async () => {
    await using live = await startApi({ clock: new SystemClock() });
    const sdk = live.client();
    const wait = { client: sdk, maxWaitTime: 30, minDelay: 1, maxDelay: 1 };
    await sdk.send(new CreateFunctionCommand(HELLO));
    const active = await waitUntilFunctionActiveV2(wait, { FunctionName: 'hello' });
    expect(active.state).toBe('SUCCESS');
    await sdk.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'hello', Timeout: 9 }));
    const updated = await waitUntilFunctionUpdatedV2(wait, { FunctionName: 'hello' });
    expect(updated.state).toBe('SUCCESS');
  });
});

describe('UpdateFunctionConfiguration', () => {
  test('changes what is given, whole, and keeps the rest', async () => {
    await api.createActive({
      Description: 'old',
      Environment: { Variables: { A1: '1', B2: '2' } },
      LoggingConfig: { LogGroup: '/mine' },
    });
    const before = api.registry.list('000000000000', 'us-east-1')[0];
    await update({ Environment: { Variables: { C3: '3' } }, LoggingConfig: { LogFormat: 'Text' } });
    await api.activateAll();
    const after = api.registry.list('000000000000', 'us-east-1')[0];
    expect(after).toMatchObject({
      description: 'old',
      environment: { C3: '3' },
      logGroupName: '/mine',
      code: before?.code,
    });
    expect(after?.generation).not.toBe(before?.generation);
  });

  test('a revision that has moved on is refused', async () => {
    await api.createActive();
    const { RevisionId } = await client.send(
      new GetFunctionConfigurationCommand({ FunctionName: 'hello' }),
    );
    await update({ RevisionId, Timeout: 5 });
    await api.activateAll();
    expect(await failureOf(update({ RevisionId, Timeout: 6 }))).toEqual({
      name: 'PreconditionFailedException',
      status: 412,
      message:
        'The Revision Id provided does not match the latest Revision Id. ' +
        'Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
    });
  });

  test('a runtime that this machine cannot run is refused with the reason', async () => {
    await using strict = await startApi({
      runtimeAvailability: (runtime) =>
        Promise.resolve(runtime === 'python3.9' ? 'There is no Python 3.9 here' : undefined),
    });
    const sdk = strict.client();
    await sdk.send(new CreateFunctionCommand(HELLO));
    await strict.activateAll();
    const call = sdk.send(
      new UpdateFunctionConfigurationCommand({ FunctionName: 'hello', Runtime: 'python3.9' }),
    );
    expect(await failureOf(call)).toMatchObject({ message: 'There is no Python 3.9 here' });
  });
});

describe('UpdateFunctionCode', () => {
  test('replaces the code and nothing else', async () => {
    await api.createActive({ Timeout: 7 });
    await updateCode({ ZipFile: Buffer.from('more code'), Architectures: ['arm64'] });
    await api.activateAll();
    expect([...api.registry.all()][0]).toMatchObject({
      timeoutSeconds: 7,
      architecture: 'arm64',
      code: { kind: 'archive', sizeBytes: 9 },
      lastUpdateStatus: 'Successful',
    });
  });

  test('a dry run tells the hash and changes nothing', async () => {
    await api.createActive();
    const before = [...api.registry.all()];
    const answer = await client.send(
      new UpdateFunctionCodeCommand({
        FunctionName: 'hello',
        ZipFile: Buffer.from('more code'),
        DryRun: true,
      }),
    );
    expect(answer.CodeSize).toBe(9);
    expect([...api.registry.all()]).toEqual(before);
  });

  test('of two at once one wins and the other one is told of it', async () => {
    await api.createActive();
    const arrived = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let count = 0;
    api.codeStore.beforePut = async () => {
      arrived[count]?.resolve();
      count += 1;
      await Promise.all(arrived.map(({ promise }) => promise));
    };
    const results = await Promise.allSettled([
      updateCode({ ZipFile: Buffer.from('first') }),
      updateCode({ ZipFile: Buffer.from('second') }),
    ]);
    const rejected = results.filter((result) => result.status === 'rejected');
    expect(rejected).toHaveLength(1);
    expect(rejected[0]?.reason).toMatchObject({ name: 'ResourceConflictException' });
  });

  test('a refused archive leaves the function as it was', async () => {
    await api.createActive();
    const before = [...api.registry.all()];
    expect((await failureOf(updateCode({ ZipFile: Buffer.from('bad') }))).status).toBe(400);
    expect([...api.registry.all()]).toEqual(before);
  });
});
