import {
  CreateFunctionCommand,
  GetFunctionCommand,
  type LambdaClient,
} from '@aws-sdk/client-lambda';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failureOf, HELLO, startApi, type ApiFixture } from '../lambda-api-fixture.ts';

const ARN = 'arn:aws:lambda:us-east-1:000000000000:function:hello';
const SHA256_OF_ZIP = 'SnD+mqZDbgLC3qNA+9HjUuTvLYzmylKtJdS5VHH8i/I=';

let api: ApiFixture;
let client: LambdaClient;

beforeEach(async () => {
  api = await startApi();
  client = api.client();
});

afterEach(() => api[Symbol.asyncDispose]());

describe('CreateFunction', () => {
  test('answers 201 with the configuration of a function that is being created', async () => {
    const answer = await client.send(new CreateFunctionCommand(HELLO));
    const { $metadata, CodeSha256, RevisionId, ...rest } = answer;
    expect($metadata.httpStatusCode).toBe(201);
    expect($metadata.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(CodeSha256).toBe(SHA256_OF_ZIP);
    expect(RevisionId).toMatch(/^[0-9a-f-]{36}$/);
    expect(rest).toEqual({
      FunctionName: 'hello',
      FunctionArn: ARN,
      Runtime: 'nodejs22.x',
      Role: 'arn:aws:iam::000000000000:role/r',
      Handler: 'index.handler',
      CodeSize: 3,
      Description: '',
      Timeout: 3,
      MemorySize: 128,
      LastModified: '2026-01-01T00:00:00.000+0000',
      Version: '$LATEST',
      TracingConfig: { Mode: 'PassThrough' },
      State: 'Pending',
      StateReason: 'The function is being created.',
      StateReasonCode: 'Creating',
      PackageType: 'Zip',
      Architectures: ['x86_64'],
      EphemeralStorage: { Size: 512 },
      SnapStart: { ApplyOn: 'None', OptimizationStatus: 'Off' },
      LoggingConfig: { LogFormat: 'Text', LogGroup: '/aws/lambda/hello' },
    });
  });

  test('keeps every setting that has an effect', async () => {
    await api.createActive({
      Description: 'greets',
      Timeout: 900,
      MemorySize: 10_240,
      Environment: { Variables: { GREETING: 'héllo' } },
      TracingConfig: { Mode: 'Active' },
      EphemeralStorage: { Size: 10_240 },
      LoggingConfig: { LogFormat: 'Text', LogGroup: '/mine' },
      Architectures: ['arm64'],
      Tags: { team: 'a', ['__proto__']: 'b' },
    });
    const answer = await client.send(new GetFunctionCommand({ FunctionName: 'hello' }));
    expect(answer.Configuration).toMatchObject({
      Description: 'greets',
      Timeout: 900,
      MemorySize: 10_240,
      Environment: { Variables: { GREETING: 'héllo' } },
      TracingConfig: { Mode: 'Active' },
      EphemeralStorage: { Size: 10_240 },
      LoggingConfig: { LogFormat: 'Text', LogGroup: '/mine' },
      Architectures: ['arm64'],
    });
    expect(answer.Tags).toHaveProperty('team', 'a');
  });

  test('takes neutral values of settings that are not built', async () => {
    const neutral: object = {
      Layers: [],
      VpcConfig: { SubnetIds: [], SecurityGroupIds: [], Ipv6AllowedForDualStack: false },
      DeadLetterConfig: { TargetArn: '' },
      FileSystemConfigs: [],
      KMSKeyArn: '',
      SnapStart: { ApplyOn: 'None' },
      PackageType: 'Zip',
      Publish: false,
    };
    await expect(api.create(neutral)).resolves.toBeDefined();
  });

  test.each<[string, object]>([
    [
      'DeadLetterConfig',
      { DeadLetterConfig: { TargetArn: 'arn:aws:sqs:us-east-1:000000000000:q' } },
    ],
    ['VpcConfig', { VpcConfig: { SubnetIds: ['subnet-1'], SecurityGroupIds: [] } }],
    ['PackageType', { PackageType: 'Image' }],
    ['SnapStart', { SnapStart: { ApplyOn: 'PublishedVersions' } }],
    ['Publish', { Publish: true }],
    ['KMSKeyArn', { KMSKeyArn: 'arn:aws:kms:us-east-1:000000000000:key/k' }],
    ['ImageConfig', { ImageConfig: { Command: ['x'] } }],
    ['TenancyConfig', { TenancyConfig: { TenantIsolationMode: 'PER_TENANT' } }],
    ['DurableConfig', { DurableConfig: { ExecutionTimeout: 60 } }],
    ['LoggingConfig.SystemLogLevel', { LoggingConfig: { SystemLogLevel: 'INFO' } }],
    [
      'Code.S3ObjectVersion',
      { Code: { S3Bucket: 'hot-reload', S3Key: '/', S3ObjectVersion: '1' } },
    ],
  ])('refuses %s, which would have no effect', async (name, input) => {
    expect(await failureOf(api.create(input))).toEqual({
      name: 'InvalidParameterValueException',
      status: 400,
      message: `Cannot set ${name} as this server does not support it yet: leave it out`,
    });
    expect([...api.registry.all()]).toEqual([]);
  });

  test.each<[string, object, string]>([
    [
      'an unknown runtime',
      { Runtime: 'cobol1.x' },
      "Value cobol1.x at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [nodejs,",
    ],
    [
      'a runtime that is not supported yet',
      { Runtime: 'ruby3.4' },
      'Cannot use runtime ruby3.4 as this server does not support it yet: use one of nodejs18.x,',
    ],
    [
      'too much memory',
      { MemorySize: 10_241 },
      "'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to 10240",
    ],
    [
      'no handler',
      { Handler: undefined },
      'Runtime and Handler are mandatory parameters for functions created with deployment packages.',
    ],
    ['no code', { Code: {} }, 'Please provide a source for function code.'],
    [
      'a refused archive',
      { Code: { ZipFile: Buffer.from('bad') } },
      'Could not unzip uploaded file.',
    ],
    [
      'code from S3',
      { Code: { S3Bucket: 'mine', S3Key: 'k' } },
      'Cannot read code from bucket mine as this server has no S3 yet: ' +
        'send ZipFile, or S3Bucket=hot-reload with S3Key=/absolute/folder',
    ],
    [
      'two sources of code',
      { Code: { S3Bucket: 'hot-reload', S3Key: '/', ZipFile: Buffer.from('zip') } },
      'Please do not provide other FunctionCode parameters when providing a ZipFile.',
    ],
    [
      'JSON logs',
      { LoggingConfig: { LogFormat: 'JSON' } },
      'Cannot set LoggingConfig.LogFormat to JSON as this server does not support it yet: use Text',
    ],
    ['a name with a qualifier', { FunctionName: 'hello:1' }, 'FunctionName must have no qualifier'],
  ])('refuses %s', async (_case, input, message) => {
    const failure = await failureOf(api.create(input));
    expect(failure).toMatchObject({ name: 'InvalidParameterValueException', status: 400 });
    expect(failure.message).toContain(message);
    expect([...api.registry.all()]).toEqual([]);
  });

  test.each<[string, object, string]>([
    [
      'a name of 65 letters',
      { FunctionName: 'a'.repeat(65) },
      `Value '${'a'.repeat(65)}' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64`,
    ],
    [
      'a timeout beyond 900 s',
      { Timeout: 901 },
      "Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900",
    ],
    [
      'too little memory',
      { MemorySize: 127 },
      "Value '127' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128",
    ],
    [
      'a handler with a space',
      { Handler: 'a b' },
      "Value 'a b' at 'handler' failed to satisfy constraint: Member must satisfy regular expression pattern: [^\\s]+",
    ],
    [
      'a handler with NUL',
      { Handler: 'index.handler\0x' },
      "Value 'index.handler\0x' at 'handler' failed to satisfy constraint: Member must satisfy regular expression pattern: [^\\s]+",
    ],
    [
      'an unknown architecture',
      { Architectures: ['mips'] },
      "Value '[mips]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: " +
        '[Member must satisfy enum value set: [x86_64, arm64], Member must not be null]',
    ],
    [
      'a role that is none',
      { Role: 'role' },
      "Value 'role' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws",
    ],
    [
      'a variable that cannot be one',
      { Environment: { Variables: { _HEARTH_CHANNEL_FD: '9' } } },
      "Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: " +
        '[Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+, Member must not be null]',
    ],
  ])('refuses %s', async (_case, input, message) => {
    const failure = await failureOf(api.create(input));
    expect(failure).toMatchObject({ name: 'ValidationException', status: 400 });
    expect(failure.message.startsWith(`1 validation error detected: ${message}`)).toBe(true);
    expect([...api.registry.all()]).toEqual([]);
  });

  test('takes a role of any account where the caller does not say which is its own', async () => {
    const role = 'arn:aws:iam::123456789012:role/r';
    expect((await api.create({ Role: role })).Role).toBe(role);
  });

  test('refuses a name that is taken, also when two come at once', async () => {
    const both = await Promise.allSettled([api.create(), api.create()]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await failureOf(api.create())).toEqual({
      name: 'ResourceConflictException',
      status: 409,
      message: 'Function already exist: hello',
    });
  });

  test('takes a name given as ARN', async () => {
    await api.createActive({ FunctionName: ARN });
    expect(api.registry.list('000000000000', 'us-east-1')[0]?.functionName).toBe('hello');
  });
});
