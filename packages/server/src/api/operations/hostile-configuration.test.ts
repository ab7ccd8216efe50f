import {
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  type LambdaClient,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failureOf, HELLO, startApi, type ApiFixture } from '../lambda-api-fixture.ts';

let api: ApiFixture;
let client: LambdaClient;

beforeEach(async () => {
  api = await startApi();
  client = api.client();
});

afterEach(() => api[Symbol.asyncDispose]());

const RESERVED = [
  '_HANDLER',
  '_X_AMZN_TRACE_ID',
  'AWS_ACCESS_KEY',
  'AWS_ACCESS_KEY_ID',
  'AWS_DEFAULT_REGION',
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
  'AWS_LAMBDA_FUNCTION_NAME',
  'AWS_LAMBDA_FUNCTION_VERSION',
  'AWS_LAMBDA_INITIALIZATION_TYPE',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
  'AWS_LAMBDA_RUNTIME_API',
  'AWS_REGION',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'LAMBDA_RUNTIME_DIR',
  'LAMBDA_TASK_ROOT',
];
const UNABLE =
  'Lambda was unable to configure your environment variables because the environment variables you have provided';

/** Neither a new function nor an existing one gets such variables. */
async function expectRefused(variables: Record<string, string>): Promise<string> {
  const Environment = { Variables: variables };
  const created = await failureOf(api.create({ FunctionName: 'refused', Environment }));
  const updated = await failureOf(
    client.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'hello', Environment })),
  );
  expect(created).toMatchObject({ name: 'InvalidParameterValueException', status: 400 });
  expect(updated).toEqual(created);
  const functions = [...api.registry.all()];
  expect(functions.map(({ functionName }) => functionName)).toEqual(['hello']);
  expect(functions[0]?.environment).toEqual({});
  return created.message;
}

describe('B. Configuration', () => {
  test('B14 a reserved variable is refused', async () => {
    await api.createActive();
    for (const name of RESERVED) {
      // What begins with an underscore is not even a name.
      if (name.startsWith('_')) {
        const Environment = { Variables: { [name]: 'x' } };
        const failure = await failureOf(api.create({ FunctionName: 'refused', Environment }));
        expect(failure).toMatchObject({ name: 'ValidationException', status: 400 });
        continue;
      }
      expect(await expectRefused({ MINE: 'fine', [name]: 'x' })).toBe(
        `${UNABLE} contains reserved keys that are currently not supported for modification. ` +
          `Reserved keys used in this request: ${name}`,
      );
    }
  });

  test('B16 an environment of more than 4 KB is refused, whatever it is made of', async () => {
    await api.createActive();
    const many = Array.from({ length: 400 }, (_, index) => [`NAME_${index}`, '']);
    for (const variables of [
      { BIG: 'x'.repeat(4_097) },
      { ESCAPED: '"'.repeat(2_048) },
      { WIDE: '€'.repeat(1_366) },
      Object.fromEntries(many) as Record<string, string>,
    ]) {
      const message = await expectRefused(variables);
      expect(message.startsWith(`${UNABLE} exceeded the 4KB limit. String measured: {"`)).toBe(
        true,
      );
    }
  });

  test('B16 NUL in a variable is refused', async () => {
    await api.createActive();
    for (const value of ['\0', 'a\0b', 'a\0LD_PRELOAD=/tmp/x']) {
      expect(await expectRefused({ NUL: value })).toBe(
        `${UNABLE} contains a NUL character. Keys used in this request: NUL`,
      );
    }
    const Environment = { Variables: { 'A\0B': 'x' } };
    const failure = await failureOf(api.create({ FunctionName: 'refused', Environment }));
    expect(failure).toMatchObject({ name: 'ValidationException', status: 400 });
  });

  test.each([
    'a;$(id)',
    '`id`',
    '$HOME',
    'a b',
    'a\nb',
    'a\0b',
    '../../etc/passwd',
    'a/b',
    'a%2fb',
    '-rf /',
    'a|b',
    'a&b',
    'é',
  ])('B17 the name %j is none, for any operation', async (FunctionName) => {
    await api.createActive();
    const calls = [
      () => client.send(new CreateFunctionCommand({ ...HELLO, FunctionName })),
      () => client.send(new GetFunctionCommand({ FunctionName })),
      () => client.send(new GetFunctionConfigurationCommand({ FunctionName })),
      () => client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 5 })),
      () =>
        client.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: Buffer.from('zip') })),
      () => client.send(new DeleteFunctionCommand({ FunctionName })),
      () => client.send(new InvokeCommand({ FunctionName })),
    ];
    for (const call of calls) {
      const failure = await failureOf(call());
      expect(failure).toMatchObject({ name: 'ValidationException', status: 400 });
      expect(failure.message).toContain("at 'functionName' failed to satisfy constraint");
    }
    expect([...api.registry.all()].map(({ functionName }) => functionName)).toEqual(['hello']);
    expect(api.invoker.calls).toEqual([]);
    expect(api.faults).toEqual([]);
  });

  test("B20 another account's function is denied by its ARN, for any operation", async () => {
    await api.createActive();
    const stranger = api.client('111122223333');
    const FunctionName = 'arn:aws:lambda:us-east-1:000000000000:function:hello';
    const calls: [string, () => Promise<unknown>][] = [
      ['GetFunction', () => stranger.send(new GetFunctionCommand({ FunctionName }))],
      [
        'GetFunctionConfiguration',
        () => stranger.send(new GetFunctionConfigurationCommand({ FunctionName })),
      ],
      [
        'UpdateFunctionConfiguration',
        () => stranger.send(new UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 5 })),
      ],
      [
        'UpdateFunctionCode',
        () =>
          stranger.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: Buffer.from('z') })),
      ],
      ['DeleteFunction', () => stranger.send(new DeleteFunctionCommand({ FunctionName }))],
      ['InvokeFunction', () => stranger.send(new InvokeCommand({ FunctionName }))],
      [
        'CreateFunction',
        () =>
          stranger.send(
            new CreateFunctionCommand({
              ...HELLO,
              Role: 'arn:aws:iam::111122223333:role/r',
              FunctionName,
            }),
          ),
      ],
    ];
    for (const [action, call] of calls) {
      const failure = await failureOf(call());
      expect([action, failure.name, failure.status]).toEqual([
        action,
        'AccessDeniedException',
        403,
      ]);
      expect(failure.message).toContain(
        `User: arn:aws:iam::111122223333:root is not authorized to perform: lambda:${action} on resource: ${FunctionName}`,
      );
    }
    // By its mere name it is not there.
    expect(
      await failureOf(stranger.send(new GetFunctionCommand({ FunctionName: 'hello' }))),
    ).toMatchObject({ name: 'ResourceNotFoundException', status: 404 });
    expect([...api.registry.all()]).toHaveLength(1);
    expect(api.registry.list('000000000000', 'us-east-1')[0]?.timeoutSeconds).toBe(3);
    expect(api.invoker.calls).toEqual([]);
  });

  test("B20 another account's role is denied", async () => {
    const stranger = api.client('111122223333');
    const Role = 'arn:aws:iam::123456789012:role/r';
    const denied = {
      name: 'AccessDeniedException',
      status: 403,
      message: 'Cross-account pass role is not allowed.',
    };
    expect(await failureOf(stranger.send(new CreateFunctionCommand({ ...HELLO, Role })))).toEqual(
      denied,
    );
    await stranger.send(
      new CreateFunctionCommand({ ...HELLO, Role: 'arn:aws:iam::111122223333:role/r' }),
    );
    await api.activateAll();
    expect(
      await failureOf(
        stranger.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'hello', Role })),
      ),
    ).toEqual(denied);
  });

  test("B20 code of another account's bucket is refused", async () => {
    const Code = { S3Bucket: 'bucket-of-another', S3Key: 'code.zip' };
    expect(await failureOf(api.create({ Code }))).toMatchObject({
      name: 'InvalidParameterValueException',
      status: 400,
      message: expect.stringContaining('Cannot read code from bucket bucket-of-another'),
    });
  });
});
