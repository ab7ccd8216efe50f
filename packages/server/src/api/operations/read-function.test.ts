import {
  DeleteFunctionCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  ListFunctionsCommand,
  paginateListFunctions,
  UpdateFunctionCodeCommand,
  type LambdaClient,
} from '@aws-sdk/client-lambda';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failureOf, startApi, type ApiFixture } from '../lambda-api-fixture.ts';

const ARN = 'arn:aws:lambda:us-east-1:000000000000:function:hello';

let api: ApiFixture;
let client: LambdaClient;

beforeEach(async () => {
  api = await startApi();
  client = api.client();
});

afterEach(() => api[Symbol.asyncDispose]());

const configurationOf = (FunctionName: string, Qualifier?: string): Promise<unknown> =>
  client.send(new GetFunctionConfigurationCommand({ FunctionName, Qualifier }));

describe('GetFunction', () => {
  test('tells where the archive is, and the archive is there', async () => {
    await api.createActive();
    const { Code, Tags } = await client.send(new GetFunctionCommand({ FunctionName: 'hello' }));
    expect(Code?.RepositoryType).toBe('S3');
    expect(Tags).toBeUndefined();
    const location = Code?.Location ?? '';
    expect(location).toContain(`${api.url}/_hearth/code/000000000000/us-east-1/hello?sha256=`);
    const archive = await fetch(location);
    expect(archive.headers.get('content-type')).toBe('application/zip');
    expect(await archive.text()).toBe('zip');
  });

  test('the place of code that was replaced is gone', async () => {
    await api.createActive();
    const { Code } = await client.send(new GetFunctionCommand({ FunctionName: 'hello' }));
    await client.send(
      new UpdateFunctionCodeCommand({ FunctionName: 'hello', ZipFile: Buffer.from('new') }),
    );
    expect((await fetch(Code?.Location ?? '')).status).toBe(404);
  });

  test('the ARN carries the qualifier that was asked for', async () => {
    await api.createActive();
    await expect(configurationOf('hello')).resolves.toHaveProperty('FunctionArn', ARN);
    await expect(configurationOf('hello', '$LATEST')).resolves.toHaveProperty(
      'FunctionArn',
      `${ARN}:$LATEST`,
    );
    await expect(configurationOf(`${ARN}:$LATEST`)).resolves.toHaveProperty(
      'FunctionArn',
      `${ARN}:$LATEST`,
    );
  });

  test.each<[string, string, string | undefined, string, string]>([
    [
      'an unknown function',
      'nobody',
      undefined,
      'ResourceNotFoundException',
      'Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody',
    ],
    [
      'an unknown version',
      'hello',
      '7',
      'ResourceNotFoundException',
      `Function not found: ${ARN}:7`,
    ],
    [
      'an unknown alias',
      'hello:live',
      undefined,
      'ResourceNotFoundException',
      `Function not found: ${ARN}:live`,
    ],
    [
      'two qualifiers that differ',
      'hello:1',
      '2',
      'InvalidParameterValueException',
      'The derived qualifier from the function name does not match the specified qualifier.',
    ],
    [
      'another region',
      ARN.replace('us-east-1', 'eu-west-1'),
      undefined,
      'ResourceNotFoundException',
      "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
    ],
  ])('refuses %s', async (_case, FunctionName, Qualifier, name, message) => {
    await api.createActive();
    const call = client.send(new GetFunctionCommand({ FunctionName, Qualifier }));
    expect(await failureOf(call)).toMatchObject({ name, message });
  });
});

describe('ListFunctions', () => {
  const names = Array.from({ length: 120 }, (_, index) => `fn-${String(index).padStart(3, '0')}`);

  beforeEach(async () => {
    await Promise.all(names.toReversed().map((FunctionName) => api.create({ FunctionName })));
  });

  test('pages hold 50 at most and all together every function once, in order', async () => {
    const pages: string[][] = [];
    for await (const page of paginateListFunctions({ client }, {})) {
      pages.push((page.Functions ?? []).map(({ FunctionName }) => FunctionName ?? ''));
    }
    expect(pages.map((page) => page.length)).toEqual([50, 50, 20]);
    expect(pages.flat()).toEqual(names);
  });

  test('a marker goes on behind its function, also when that has been deleted', async () => {
    const first = await client.send(new ListFunctionsCommand({ MaxItems: 7 }));
    await client.send(new DeleteFunctionCommand({ FunctionName: 'fn-006' }));
    const second = await client.send(
      new ListFunctionsCommand({ MaxItems: 2, Marker: first.NextMarker }),
    );
    expect(second.Functions?.map(({ FunctionName }) => FunctionName)).toEqual(['fn-007', 'fn-008']);
  });

  test('the last page has no marker, however full', async () => {
    const page = await client.send(
      new ListFunctionsCommand({
        Marker: Buffer.from('v1:fn-117').toString('base64url'),
        MaxItems: 2,
      }),
    );
    expect(page.Functions).toHaveLength(2);
    expect(page.NextMarker).toBeUndefined();
  });

  test('a marker that is none is refused', async () => {
    const call = client.send(new ListFunctionsCommand({ Marker: 'nonsense' }));
    expect(await failureOf(call)).toMatchObject({ name: 'InvalidParameterValueException' });
  });

  test('states are left out, and versions are named where all are asked for', async () => {
    const { Functions } = await client.send(
      new ListFunctionsCommand({ FunctionVersion: 'ALL', MaxItems: 1 }),
    );
    expect(Functions?.[0]).toMatchObject({
      FunctionArn: `${ARN.replace('hello', 'fn-000')}:$LATEST`,
    });
    expect(Functions?.[0]).not.toHaveProperty('State');
  });
});
