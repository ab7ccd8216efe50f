import {
  CreateFunctionCommand,
  ListFunctionsCommand,
  ListCodeSigningConfigsCommand,
  type LambdaClient,
} from '@aws-sdk/client-lambda';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failureOf, HELLO, startApi, type ApiFixture } from './lambda-api-fixture.ts';

let api: ApiFixture;
let client: LambdaClient;

beforeEach(async () => {
  api = await startApi();
  client = api.client();
});

afterEach(() => api[Symbol.asyncDispose]());

describe('accounts and regions', () => {
  test('functions of one are not seen from another', async () => {
    const other = api.client('123456789012');
    const elsewhere = api.client(undefined, 'eu-west-1');
    await api.createActive();
    await other.send(
      new CreateFunctionCommand({ ...HELLO, Role: 'arn:aws:iam::123456789012:role/r' }),
    );
    await elsewhere.send(new CreateFunctionCommand(HELLO));
    const arns = await Promise.all(
      [client, other, elsewhere].map(async (sdk) => {
        const { Functions } = await sdk.send(new ListFunctionsCommand({}));
        return Functions?.map(({ FunctionArn }) => FunctionArn);
      }),
    );
    expect(arns).toEqual([
      ['arn:aws:lambda:us-east-1:000000000000:function:hello'],
      ['arn:aws:lambda:us-east-1:123456789012:function:hello'],
      ['arn:aws:lambda:eu-west-1:000000000000:function:hello'],
    ]);
  });
});

test('an operation that is not built answers 501 with its name', async () => {
  expect(await failureOf(client.send(new ListCodeSigningConfigsCommand({})))).toEqual({
    name: 'NotImplementedException',
    status: 501,
    message: 'Operation ListCodeSigningConfigs is not built yet',
  });
});

test('a fault of the server is reported, and the caller learns nothing of it', async () => {
  api.codeStore.beforePut = () => Promise.reject(new Error('disk /secret/path is full'));
  expect(await failureOf(api.create())).toEqual({
    name: 'ServiceException',
    status: 500,
    message: 'Internal failure',
  });
  expect(api.faults).toHaveLength(1);
});
