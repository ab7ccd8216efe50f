import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installBoto3 } from '../support/boto3.ts';
import { deploy, zipOf } from '../support/function.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const run = promisify(execFile);

const SOURCE = { 'index.js': 'exports.handler = async (event) => ({ hello: event.name });' };

describe('clients other than the JavaScript SDK', () => {
  let server: TestServer;
  let folder: string;
  let variables: Record<string, string>;

  beforeAll(async () => {
    server = await startTestServer();
    folder = await mkdtemp(join(tmpdir(), 'hearth-clients-'));
    variables = {
      AWS_ENDPOINT_URL: server.endpoint,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
      HOME: folder,
    };
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  test('boto3 creates, invokes, lists and deletes a function', async (context) => {
    const boto3 = await installBoto3();
    if ('reason' in boto3) {
      context.skip(boto3.reason);
      return;
    }
    await writeFile(join(folder, 'code.zip'), await zipOf(SOURCE));
    const printed = await boto3.run(
      `
import boto3, json
client = boto3.client("lambda")
client.create_function(FunctionName="from-boto3", Runtime="nodejs24.x", Handler="index.handler",
    Role="arn:aws:iam::000000000000:role/r", Code={"ZipFile": open(${JSON.stringify(join(folder, 'code.zip'))}, "rb").read()})
client.get_waiter("function_active_v2").wait(FunctionName="from-boto3")
answer = client.invoke(FunctionName="from-boto3", Payload=json.dumps({"name": "boto3"}))
print(json.dumps([answer["StatusCode"], json.load(answer["Payload"])]))
print(json.dumps([f["FunctionName"] for f in client.list_functions()["Functions"]]))
client.delete_function(FunctionName="from-boto3")
try:
    client.get_function(FunctionName="from-boto3")
except client.exceptions.ResourceNotFoundException as error:
    print(error.response["Error"]["Message"])
`,
      variables,
    );
    expect(printed.trim().split('\n')).toEqual([
      '[200, {"hello": "boto3"}]',
      '["from-boto3"]',
      'Function not found: arn:aws:lambda:us-east-1:000000000000:function:from-boto3',
    ]);
  });

  test('the AWS CLI invokes a function and shows its log tail', async (context) => {
    const cli = await run('aws', ['--version']).catch(() => undefined);
    if (cli === undefined) {
      context.skip('the AWS CLI is not on PATH');
      return;
    }
    await deploy(server.client, 'for-cli', SOURCE);
    const out = join(folder, 'out.json');
    const version2 = cli.stdout.startsWith('aws-cli/2');
    const { stdout } = await run(
      'aws',
      ['lambda', 'invoke', '--function-name', 'for-cli', '--log-type', 'Tail', '--payload'].concat(
        '{"name":"cli"}',
        version2 ? ['--cli-binary-format', 'raw-in-base64-out'] : [],
        out,
      ),
      { env: { ...process.env, ...variables } },
    );
    expect(await readFile(out, 'utf8')).toBe('{"hello":"cli"}');
    const { LogResult, StatusCode } = JSON.parse(stdout) as {
      LogResult: string;
      StatusCode: number;
    };
    expect(StatusCode).toBe(200);
    expect(Buffer.from(LogResult, 'base64').toString()).toMatch(
      /^START RequestId: .*\nEND [^]*\nREPORT /,
    );
  });
});
