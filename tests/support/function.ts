import {
  CreateFunctionCommand,
  InvokeCommand,
  waitUntilFunctionActiveV2,
  type CreateFunctionCommandInput,
  type InvokeCommandInput,
  type LambdaClient,
} from '@aws-sdk/client-lambda';
import { ZipFile } from 'yazl';

const SHEBANG = Buffer.from('#!');
const ROLE = 'arn:aws:iam::000000000000:role/test';

/** Contents by path. */
export type Files = Readonly<Record<string, string | Buffer>>;

/** An archive of the given files. What begins with `#!` may be executed. */
export async function zipOf(files: Files): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [path, content] of Object.entries(files)) {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    const mode = bytes.subarray(0, 2).equals(SHEBANG) ? 0o100755 : 0o100644;
    zip.addBuffer(bytes, path, { mode });
  }
  zip.end();
  const chunks: Buffer[] = [];
  for await (const chunk of zip.outputStream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Creates a function from source text and waits until it is active. */
export async function deploy(
  client: LambdaClient,
  functionName: string,
  files: Files,
  settings: Partial<CreateFunctionCommandInput> = {},
): Promise<void> {
  await client.send(
    new CreateFunctionCommand({
      FunctionName: functionName,
      Role: ROLE,
      Runtime: 'nodejs24.x',
      Handler: 'index.handler',
      Code: { ZipFile: await zipOf(files) },
      ...settings,
    }),
  );
  await waitUntilFunctionActiveV2(
    { client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 },
    { FunctionName: functionName },
  );
}

export interface InvokeAnswer {
  readonly status: number | undefined;
  readonly functionError: string | undefined;
  readonly executedVersion: string | undefined;
  readonly requestId: string | undefined;
  /** The payload parsed. */
  readonly result: unknown;
  /** Lines of the log tail; empty where none was asked for. */
  readonly log: readonly string[];
}

/** Invokes and waits for the answer. */
export async function invoke(
  client: LambdaClient,
  functionName: string,
  event: unknown = {},
  settings: Partial<InvokeCommandInput> = {},
): Promise<InvokeAnswer> {
  const answer = await client.send(
    new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify(event), ...settings }),
  );
  const text = Buffer.from(answer.Payload ?? []).toString();
  return {
    status: answer.StatusCode,
    functionError: answer.FunctionError,
    executedVersion: answer.ExecutedVersion,
    requestId: answer.$metadata.requestId,
    result: text === '' ? undefined : (JSON.parse(text) as unknown),
    log: Buffer.from(answer.LogResult ?? '', 'base64')
      .toString()
      .split('\n'),
  };
}

/** Invokes and returns the log tail's lines with the answer. */
export function invokeWithLog(
  client: LambdaClient,
  functionName: string,
  event: unknown = {},
): Promise<InvokeAnswer> {
  return invoke(client, functionName, event, { LogType: 'Tail' });
}
