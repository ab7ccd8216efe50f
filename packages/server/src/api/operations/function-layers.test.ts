import {
  GetFunctionConfigurationCommand,
  ListFunctionsCommand,
  DeleteLayerVersionCommand,
  PublishLayerVersionCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  type LambdaClient,
} from '@aws-sdk/client-lambda';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failureOf, startApi, type ApiFixture } from '../lambda-api-fixture.ts';

const arnOf = (name: string, version = 1, account = '000000000000', region = 'us-east-1'): string =>
  `arn:aws:lambda:${region}:${account}:layer:${name}:${version}`;

let api: ApiFixture;
let client: LambdaClient;

beforeEach(async () => {
  api = await startApi();
  client = api.client();
});

afterEach(() => api[Symbol.asyncDispose]());

/** Publishes a version of a layer; its ARN. */
async function publish(name: string, content = `zip of ${name}`): Promise<string> {
  const { LayerVersionArn } = await client.send(
    new PublishLayerVersionCommand({
      LayerName: name,
      Content: { ZipFile: Buffer.from(content) },
    }),
  );
  return LayerVersionArn ?? '';
}

const configuration = () =>
  client.send(new GetFunctionConfigurationCommand({ FunctionName: 'hello' }));
const update = (input: object) =>
  client.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'hello', ...input }));
const refusal = (message: string) => ({
  name: 'InvalidParameterValueException',
  status: 400,
  message,
});

describe('Layers of a function', () => {
  test('are answered in their order with their sizes, by every call that has a configuration', async () => {
    const arns = [await publish('b', 'four'), await publish('a', 'three')];
    const Layers = [
      { Arn: arns[0], CodeSize: 4 },
      { Arn: arns[1], CodeSize: 5 },
    ];
    expect((await api.create({ Layers: arns })).Layers).toEqual(Layers);
    await api.activateAll();
    expect((await configuration()).Layers).toEqual(Layers);
    const { Functions } = await client.send(new ListFunctionsCommand({}));
    expect(Functions?.[0]?.Layers).toEqual(Layers);
  });

  test('are merged when the function is made and when they change', async () => {
    const arns = [await publish('a'), await publish('b')];
    await api.createActive({ Layers: arns });
    await update({ Layers: arns.toReversed() });
    await api.activateAll();
    await update({ Description: 'nothing of theirs' });
    const [a, b] = [...api.layers.all()].map(({ sha256 }) => sha256);
    expect(api.merged).toEqual([
      [a, b],
      [b, a],
    ]);
  });

  test('an update replaces them all, leaves them where it does not name them, and removes them', async () => {
    const arns = [await publish('a'), await publish('b')];
    await api.createActive({ Layers: arns });
    expect((await update({ Timeout: 9 })).Layers).toHaveLength(2);
    await api.activateAll();
    expect((await update({ Layers: [arns[1]] })).Layers).toMatchObject([{ Arn: arns[1] }]);
    await api.activateAll();
    expect(await update({ Layers: [] })).not.toHaveProperty('Layers');
  });

  test('a function keeps a layer version that is deleted, and no other can take it', async () => {
    const arn = await publish('a');
    await api.createActive({ Layers: [arn] });
    await client.send(new DeleteLayerVersionCommand({ LayerName: 'a', VersionNumber: 1 }));
    expect((await configuration()).Layers).toMatchObject([{ Arn: arn }]);
    await update({ Timeout: 9 });
    expect(await failureOf(api.create({ FunctionName: 'other', Layers: [arn] }))).toEqual(
      refusal(`Layer version ${arn} does not exist.`),
    );
  });
});

describe('Layers that are refused', () => {
  test('more than five', async () => {
    const arns = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => publish(name)));
    const message = 'Cannot reference more than 5 layers.';
    expect(await failureOf(api.create({ Layers: arns }))).toEqual(refusal(message));
    await api.createActive({ Layers: arns.slice(0, 5) });
    expect(await failureOf(update({ Layers: arns }))).toEqual(refusal(message));
  });

  test('a version that is not there', async () => {
    await publish('a');
    for (const arn of [arnOf('a', 2), arnOf('b'), 'arn:aws:lambda:::awslayer:AmazonLinux1803']) {
      const message = `Layer version ${arn} does not exist.`;
      expect(await failureOf(api.create({ Layers: [arn] }))).toEqual(refusal(message));
    }
  });

  test('two versions of one layer, or one of them twice', async () => {
    const [first, second] = [await publish('a'), await publish('a')];
    for (const Layers of [
      [first, await publish('b'), second],
      [first, first],
    ]) {
      const message =
        'Two different versions of the same layer are not allowed to be referenced in the same function. ' +
        `${first} and ${Layers.at(-1)} are versions of the same layer.`;
      expect(await failureOf(api.create({ Layers }))).toEqual(refusal(message));
    }
  });

  test('B20 a layer of another account, be it there or not', async () => {
    const theirs = api.client('111122223333');
    const input = { LayerName: 'a', Content: { ZipFile: Buffer.from('zip') } };
    await theirs.send(new PublishLayerVersionCommand(input));
    for (const name of ['a', 'b']) {
      const arn = arnOf(name, 1, '111122223333');
      expect(await failureOf(api.create({ Layers: [arn] }))).toEqual({
        name: 'AccessDeniedException',
        status: 403,
        message:
          'User: arn:aws:iam::000000000000:root is not authorized to perform: lambda:GetLayerVersion ' +
          `on resource: ${arn} because no resource-based policy allows the lambda:GetLayerVersion action`,
      });
    }
  });

  test('one of another region', async () => {
    expect(
      await failureOf(api.create({ Layers: [arnOf('a', 1, '000000000000', 'eu-west-1')] })),
    ).toEqual(
      refusal(
        'Layers are not in the same region as the function. Layers are expected to be in region us-east-1.',
      ),
    );
  });

  test('what is no ARN of a layer version', async () => {
    for (const arn of ['a:1', arnOf('a').replace(/:1$/, ''), '../../etc']) {
      expect(await failureOf(api.create({ Layers: [arn] }))).toEqual({
        name: 'ValidationException',
        status: 400,
        message: expect.stringContaining(
          `Value '[${arn}]' at 'layers' failed to satisfy constraint: Member must satisfy constraint: [`,
        ),
      });
    }
  });

  test('code and layers of more than 262,144,000 bytes unzipped, whichever comes last', async () => {
    const half = 131_072_000;
    api.codeStore.unzipped.set('code', half);
    api.codeStore.unzipped.set('layer', half);
    api.codeStore.unzipped.set('one more', half + 1);
    const [fits, tooLarge] = [await publish('a', 'layer'), await publish('b', 'one more')];
    const Code = { ZipFile: Buffer.from('code') };
    const message =
      'Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. ' +
      'The actual size is 262144001 bytes.';
    expect(await failureOf(api.create({ Code, Layers: [tooLarge] }))).toEqual(refusal(message));
    await api.createActive({ Code, Layers: [fits] });
    expect(await failureOf(update({ Layers: [tooLarge] }))).toEqual(refusal(message));
    const ZipFile = Buffer.from('one more');
    for (const DryRun of [true, false]) {
      const command = new UpdateFunctionCodeCommand({ FunctionName: 'hello', ZipFile, DryRun });
      expect(await failureOf(client.send(command))).toEqual(refusal(message));
    }
    expect((await configuration()).Layers).toMatchObject([{ Arn: fits }]);
  });

  test('a layer whose content went while the code was unpacked', async () => {
    const arn = await publish('a');
    api.codeStore.beforePut = () => api.codeStore.retain(new Set());
    expect(await failureOf(api.create({ Layers: [arn] }))).toEqual(
      refusal(`Layer version ${arn} does not exist.`),
    );
    expect([...api.registry.all()]).toEqual([]);
  });
});
