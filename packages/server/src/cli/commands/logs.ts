import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import type { ApiClient } from '../api-client.ts';
import { functionPath } from '../api-client.ts';
import { API_OPTIONS, connect } from '../api-options.ts';
import type { Command, CommandContext, CommandOptions } from '../command.ts';
import { CommandError, UsageError } from '../command.ts';
import { asObject, listField, numberField, textField } from '../json-fields.ts';
import { parseInstant } from '../parse-instant.ts';

export const logsCommand: Command = {
  arguments: [{ name: '<name>', description: 'name or ARN of the function' }],
  options: [
    { flags: '-f, --follow', description: 'go on with new events until Ctrl-C' },
    { flags: '--since <time>', description: 'a duration ago (90s, 10m, 2h, 1d) or an ISO time' },
    { flags: '--limit <number>', description: 'the newest so many (default 1000, at most 10000)' },
    { flags: '--request-id <id>', description: 'only the events of one request' },
    ...API_OPTIONS,
  ],
  notes: 'With --json each event is one line of JSON.',
  async run(context, [name = ''], options) {
    const client = connect(context, options);
    const query = { ...readQuery(options), ...(await findLogGroup(client, name)) };
    const isJson = options.isSet('json');
    const print = (event: unknown): void => printEvent(context, event, isJson);
    if (options.isSet('follow')) {
      const followed = { ...query, follow: 'true' };
      await follow(
        await client.open({ method: 'GET', path: '/_hearth/logs', query: followed }),
        context,
        print,
      );
      return 0;
    }
    const answer = await client.json({ method: 'GET', path: '/_hearth/logs', query });
    const events = listField(answer, 'events');
    events.forEach(print);
    if (events.length === 0) context.output.note(`No log events of ${name}`);
    return 0;
  },
};

function readQuery(options: CommandOptions): Record<string, string> {
  const query: Record<string, string> = {};
  const limit = options.text('limit');
  if (limit !== undefined) {
    if (!/^[1-9]\d{0,4}$/.test(limit) || Number(limit) > 10_000) {
      throw new UsageError(
        `Cannot read limit as it must be 1-10000: received ${JSON.stringify(limit)}`,
      );
    }
    query['limit'] = limit;
  }
  const since = options.text('since');
  if (since !== undefined) query['since'] = String(parseInstant(since, Date.now()));
  const requestId = options.text('requestId');
  if (requestId !== undefined) query['requestId'] = requestId;
  return query;
}

/** Account, region and log group as the function's own configuration says; it may have any group. */
async function findLogGroup(client: ApiClient, name: string): Promise<Record<string, string>> {
  const path = functionPath(name, '/configuration');
  const configuration = await client.json({ method: 'GET', path });
  // arn:aws:lambda:<region>:<account>:function:<name>
  const [, , , region, account, , functionName] = (
    textField(configuration, 'FunctionArn') ?? ''
  ).split(':');
  if (region === undefined || account === undefined || functionName === undefined) {
    throw new CommandError(`Cannot read logs as the server gave ${name} no ARN`);
  }
  const group = textField(asObject(configuration)['LoggingConfig'], 'LogGroup');
  return { region, account, group: group ?? `/aws/lambda/${functionName}` };
}

async function follow(
  response: IncomingMessage,
  { output, signal }: CommandContext,
  print: (event: unknown) => void,
): Promise<void> {
  try {
    for await (const line of createInterface({ input: response })) {
      const event: unknown = JSON.parse(line);
      const dropped = numberField(event, 'droppedEvents');
      if (dropped === undefined) print(event);
      else output.note(`${dropped} events left out as they came too fast`);
    }
  } catch (error) {
    if (signal.aborted) throw error;
    throw new CommandError('Cannot follow any longer as the connection broke', { cause: error });
  }
  // Readline ends in silence where the connection breaks.
  if (signal.aborted) throw new CommandError('Interrupted');
  if (!response.complete) throw new CommandError('Cannot follow any longer as the server is gone');
}

function printEvent({ output }: CommandContext, event: unknown, isJson: boolean): void {
  if (isJson) {
    output.json(event);
    return;
  }
  const time = new Date(numberField(event, 'timestampMs') ?? 0).toISOString();
  const message = (textField(event, 'message') ?? '').trimEnd();
  // A message must not look like several events. On a terminal carriage returns break lines, too.
  const lineBreak = output.isTerminal ? /\r\n?|\n/g : '\n';
  output.data(`${output.colors.dim(time)} `);
  output.foreign(`${message.replaceAll(lineBreak, `\n${' '.repeat(time.length + 1)}`)}\n`);
}
