import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { addAbortSignal } from 'node:stream';
import type { ApiResponse } from '../api-client.ts';
import { functionPath } from '../api-client.ts';
import { API_OPTIONS, connect } from '../api-options.ts';
import type { Command, CommandContext, CommandOptions } from '../command.ts';
import { UsageError } from '../command.ts';

export const invokeCommand: Command = {
  arguments: [{ name: '<name>', description: 'name or ARN of the function' }],
  options: [
    {
      flags: '-e, --event <json|file|->',
      description: 'event: JSON, a file, or - for standard input (default {})',
    },
    { flags: '--async', description: 'queue the event and do not wait for its result' },
    { flags: '--tail', description: 'show the end of the log, not only its REPORT line' },
    { flags: '--client-context <json>', description: 'client context' },
    ...API_OPTIONS,
  ],
  notes:
    'The result goes to standard output, the log to standard error. Exit code 1: the function failed.',
  async run(context, [name = ''], options) {
    const isAsync = options.isSet('async');
    const client = connect(context, options);
    const body = await readEvent(context, options.text('event') ?? '{}');
    const clientContext = readClientContext(options);
    using progress = context.output.progress(`Running ${name}`);
    const response = await client.send({
      method: 'POST',
      path: functionPath(name, '/invocations'),
      body,
      headers: {
        'content-type': 'application/json',
        'x-amz-invocation-type': isAsync ? 'Event' : 'RequestResponse',
        ...(isAsync ? {} : { 'x-amz-log-type': 'Tail' }),
        ...(clientContext === undefined ? {} : { 'x-amz-client-context': clientContext }),
      },
    });
    progress[Symbol.dispose]();
    const functionError = headerOf(response, 'x-amz-function-error');
    if (options.isSet('json')) printJson(context, response);
    else if (isAsync)
      context.output.note(`Queued as ${headerOf(response, 'x-amzn-requestid') ?? 'an event'}`);
    else printResult(context, response, options.isSet('tail'));
    return functionError === undefined ? 0 : 1;
  },
};

/** JSON as it is; a file's content and standard input are left to the server to judge. */
async function readEvent(context: CommandContext, given: string): Promise<Uint8Array> {
  if (given === '-') return readStandardInput(context.signal);
  if (isJson(given)) return Buffer.from(given);
  try {
    return await readFile(resolve(context.workingDirectory, given));
  } catch (error) {
    throw new UsageError(
      `Cannot read event as it must be JSON or a file that can be read: received ${JSON.stringify(given.slice(0, 200))}`,
      { cause: error },
    );
  }
}

async function readStandardInput(signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of addAbortSignal(signal, process.stdin)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

function readClientContext(options: CommandOptions): string | undefined {
  const text = options.text('clientContext');
  if (text === undefined) return undefined;
  if (isJson(text)) return Buffer.from(text).toString('base64');
  throw new UsageError(
    `Cannot read client-context as it must be JSON: received ${JSON.stringify(text.slice(0, 200))}`,
  );
}

function printResult(
  { output }: CommandContext,
  response: ApiResponse,
  isWholeTail: boolean,
): void {
  const log = logTail(response);
  const report = log.split('\n').findLast((line) => line.startsWith('REPORT '));
  const shownLog = isWholeTail ? log : (report ?? '');
  const contentType = response.headers['content-type'] ?? 'application/json';
  if (contentType.includes('json')) output.foreign(`${response.body.toString('utf8')}\n`);
  else if (output.isTerminal) output.foreign(response.body.toString('utf8'));
  else output.data(response.body);
  if (shownLog !== '') output.foreignNote(shownLog);
  const functionError = headerOf(response, 'x-amz-function-error');
  if (functionError !== undefined) output.note(`The function failed (${functionError})`);
}

function printJson({ output }: CommandContext, response: ApiResponse): void {
  const text = response.body.toString('utf8');
  output.json({
    statusCode: response.status,
    requestId: headerOf(response, 'x-amzn-requestid'),
    executedVersion: headerOf(response, 'x-amz-executed-version'),
    functionError: headerOf(response, 'x-amz-function-error'),
    payload: isJson(text) ? JSON.parse(text) : text,
    logTail: headerOf(response, 'x-amz-log-result') === undefined ? undefined : logTail(response),
  });
}

function logTail(response: ApiResponse): string {
  return Buffer.from(headerOf(response, 'x-amz-log-result') ?? '', 'base64').toString('utf8');
}

function headerOf(response: ApiResponse, name: string): string | undefined {
  const value = response.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
