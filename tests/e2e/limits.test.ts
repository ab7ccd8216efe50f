import { LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { describe, expect, test } from 'vitest';
import { craftZip } from '../../packages/server/src/artifacts/crafted-zip.ts';
import { deploy, invoke } from '../support/function.ts';
import { printed } from '../support/function-log.ts';
import { startTestServer } from '../support/server.ts';

describe('limits, through the API', () => {
  test('an event over the concurrency of the account is 429 with its reason', async () => {
    await using server = await startTestServer({ accountConcurrency: 1 });
    // The function says that it runs, and goes on when there is a function of that name.
    await deploy(
      server.client,
      'held',
      {
        'index.js': `const { setTimeout: sleep } = require('node:timers/promises');
        exports.handler = async ({ until }) => {
          if (until === undefined) return 'free';
          console.log('it runs');
          const url = process.env.AWS_ENDPOINT_URL + '/2015-03-31/functions/' + until;
          while ((await fetch(url)).status === 404) await sleep(20);
          return 'held';
        };`,
      },
      { Timeout: 60 },
    );
    const held = invoke(server.client, 'held', { until: 'signal' });
    await printed(server.endpoint, 'held', 'it runs');
    await expect(invoke(server.client, 'held')).rejects.toMatchObject({
      name: 'TooManyRequestsException',
      Reason: 'ConcurrentInvocationLimitExceeded',
      $metadata: { httpStatusCode: 429 },
    });
    await deploy(server.client, 'signal', { 'index.js': '' });
    expect((await held).result).toBe('held');
    expect((await invoke(server.client, 'held')).result).toBe('free');
  });

  test('an archive that leaves its folder is refused and no function is made', async () => {
    await using server = await startTestServer();
    const archive = craftZip([{ name: '../../escaped.js', content: 'x' }]);
    await expect(
      deploy(server.client, 'escape', {}, { Code: { ZipFile: archive } }),
    ).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
      $metadata: { httpStatusCode: 400 },
    });
    const { Functions } = await server.client.send(new ListFunctionsCommand({}));
    expect(Functions).toEqual([]);
  });

  test('two accounts have functions of the same name, and each runs its own', async () => {
    await using server = await startTestServer();
    const other = new LambdaClient({
      endpoint: server.endpoint,
      region: 'eu-west-1',
      credentials: { accessKeyId: '111122223333', secretAccessKey: 'x' },
    });
    const source = {
      'index.js': `exports.handler = async (event, context) =>
        [context.invokedFunctionArn, process.env.AWS_ACCESS_KEY_ID, process.env.AWS_REGION];`,
    };
    await deploy(server.client, 'same', source);
    await deploy(other, 'same', source, { Role: 'arn:aws:iam::111122223333:role/test' });
    expect((await invoke(server.client, 'same')).result).toEqual([
      'arn:aws:lambda:us-east-1:000000000000:function:same',
      '000000000000',
      'us-east-1',
    ]);
    expect((await invoke(other, 'same')).result).toEqual([
      'arn:aws:lambda:eu-west-1:111122223333:function:same',
      '111122223333',
      'eu-west-1',
    ]);
    other.destroy();
  });
});
