import { DeleteFunctionCommand, type LambdaClient } from '@aws-sdk/client-lambda';
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

describe('DeleteFunction', () => {
  test('answers 204 and the function is gone', async () => {
    await api.createActive();
    const { $metadata } = await client.send(new DeleteFunctionCommand({ FunctionName: 'hello' }));
    expect($metadata.httpStatusCode).toBe(204);
    const again = client.send(new DeleteFunctionCommand({ FunctionName: 'hello' }));
    expect(await failureOf(again)).toEqual({
      name: 'ResourceNotFoundException',
      status: 404,
      message: `Function not found: ${ARN}`,
    });
  });

  test.each([
    ['$LATEST', '$LATEST version cannot be deleted without deleting the function.'],
    ['live', 'Deletion of aliases is not currently supported.'],
    ['7', `Function not found: ${ARN}:7`],
  ])('refuses %s and deletes nothing', async (Qualifier, message) => {
    await api.createActive();
    const call = client.send(new DeleteFunctionCommand({ FunctionName: 'hello', Qualifier }));
    expect((await failureOf(call)).message).toBe(message);
    expect([...api.registry.all()]).toHaveLength(1);
  });

  test('a function that was deleted while Pending does not come back', async () => {
    await api.create();
    await client.send(new DeleteFunctionCommand({ FunctionName: 'hello' }));
    await api.create({ Description: 'second' });
    await api.activateAll();
    expect([...api.registry.all()]).toMatchObject([{ description: 'second', state: 'Active' }]);
    expect(api.faults).toEqual([]);
  });
});
