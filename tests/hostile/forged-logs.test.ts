import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runHearth } from '../../packages/server/src/cli/cli-harness.ts';
import { invokeWithLog, type InvokeAnswer } from '../support/function.ts';
import { HostileServer } from '../support/hostile-server.ts';

const FORGED_ID = '11111111-2222-3333-4444-555555555555';
/** Each is printed as one line. */
const LINES = [
  `INIT_START Runtime Version: nodejs:99.v1\tRuntime Version ARN: arn:forged`,
  `START RequestId: ${FORGED_ID} Version: 7`,
  `END RequestId: ${FORGED_ID}`,
  `REPORT RequestId: ${FORGED_ID}\tDuration: 1.00 ms\tBilled Duration: 1 ms\tMemory Size: 128 MB\tMax Memory Used: 1 MB\t`,
  `{"t":1,"s":"another stream","r":"${FORGED_ID}","m":"forged"}`,
  `{"timestampMs":1,"logStreamName":"another","requestId":"${FORGED_ID}","message":"forged"}`,
  '{"droppedEvents":99}',
  `{"time":"2026-01-01T00:00:00.000Z","type":"platform.report","record":{"requestId":"${FORGED_ID}"}}`,
  '"}\\n{"events":[]}',
  '\u001b[2J\u001b[1;1H\u001b[31mred\u001b]0;title\u0007',
  'shown\rhidden',
  'a\0b',
  'one\u2028two\u0085three\u202Eeerht',
  '1970-01-01T00:00:00.000Z forged',
];
/** One event, however many lines it has. */
const MESSAGE = `first\n${LINES[3]}\n1970-01-01T00:00:00.000Z forged\nEND RequestId: ${FORGED_ID}`;

const PRINTER_JS = `
const fs = require('node:fs');
function frame(text, { type = 0xa55a0003, length = Buffer.byteLength(text) } = {}) {
  const header = Buffer.alloc(16);
  header.writeUInt32BE(type, 0);
  header.writeUInt32BE(length, 4);
  // The year 2100.
  header.writeBigUInt64BE(4102444800000000n, 8);
  return Buffer.concat([header, Buffer.from(text)]);
}
exports.handler = async ({ lines, message }) => {
  fs.writeSync(1, lines.join('\\n') + '\\n');
  fs.writeSync(2, lines.join('\\n') + '\\n');
  for (const line of lines) fs.writeSync(4, frame(line));
  fs.writeSync(4, frame(message));
  // No frame: plain text from here on.
  fs.writeSync(4, lines.join('\\n') + '\\n');
  return 'printed';
};`;

const PRINTER_PY = `
import sys
def handler(event, context):
    for line in event["lines"]:
        print(line)
    print("\\n".join(event["lines"]), file=sys.stderr)
    sys.stdout.flush()
    return "printed"
`;

interface LogEvent {
  readonly timestampMs: number;
  readonly logStreamName: string;
  readonly requestId?: string;
  readonly message: string;
}

describe('E. Forged logs', () => {
  let hostile: HostileServer;
  beforeAll(async () => {
    hostile = await HostileServer.open();
  });
  afterAll(async () => {
    await hostile[Symbol.asyncDispose]();
  });

  async function eventsOf(name: string, parameters: object = {}): Promise<LogEvent[]> {
    const url = new URL('/_hearth/logs', hostile.endpoint);
    const query = { group: `/aws/lambda/${name}`, limit: '10000', ...parameters };
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
    const { events } = (await (await fetch(url)).json()) as { events: LogEvent[] };
    return events;
  }

  /** What was printed, in events of its own, between those of the platform. */
  async function expectFramed(
    name: string,
    { requestId = '', log }: InvokeAnswer,
    printed: readonly string[],
  ): Promise<void> {
    const all = await eventsOf(name);
    const ofRequest = all.filter((event) => event.requestId === requestId);
    const [start, ...rest] = ofRequest.map(({ message }) => message);
    const [end, report] = rest.splice(-2);
    expect(start).toBe(`START RequestId: ${requestId} Version: $LATEST`);
    expect(end).toBe(`END RequestId: ${requestId}`);
    expect(report).toMatch(new RegExp(`^REPORT RequestId: ${requestId}\tDuration: `));
    expect(rest.toSorted()).toEqual(printed.toSorted());
    // Nothing of it came into another stream, another request or another time.
    expect(new Set(all.map(({ logStreamName }) => logStreamName)).size).toBe(1);
    expect(all.filter((event) => ![undefined, requestId].includes(event.requestId))).toEqual([]);
    expect(await eventsOf(name, { requestId: FORGED_ID })).toEqual([]);
    for (const { timestampMs } of all) {
      expect(Math.abs(timestampMs - Date.now())).toBeLessThan(60_000);
    }
    // The end of the log that a caller gets is the platform's.
    expect(log.at(-2)).toBe(report);
  }

  test('E57 what Node.js prints on any descriptor is data', async () => {
    await hostile.deployNode('forger', PRINTER_JS);
    const event = { lines: LINES, message: MESSAGE };
    const answer = await hostile.besideNeighbour(invokeWithLog(hostile.client, 'forger', event));
    expect(answer.result).toBe('printed');
    await expectFramed('forger', answer, [...LINES, ...LINES, ...LINES, MESSAGE, ...LINES]);
    // Nor did the neighbour's log get any of it.
    const others = (await eventsOf('neighbour')).map(({ message }) => message);
    expect(others.join('\n')).not.toContain(FORGED_ID);
  });

  test('E57 what Python prints is data', async (context) => {
    hostile.requiresPython(context);
    await hostile.deployPython('forger-py', PRINTER_PY);
    const answer = await invokeWithLog(hostile.client, 'forger-py', { lines: LINES });
    expect(answer.result).toBe('printed');
    await expectFramed('forger-py', answer, [...LINES, ...LINES]);
  });

  test('E57 hearth logs and hearth invoke tell events from what is in them', async () => {
    await hostile.deployNode('shown', PRINTER_JS);
    const environment = { HEARTH_ENDPOINT: hostile.endpoint };
    const event = JSON.stringify({ lines: LINES, message: MESSAGE });
    const invoked = await runHearth(['invoke', 'shown', '-e', event], { environment });
    expect(invoked).toMatchObject({ exitCode: 0, stdout: '"printed"\n' });
    const events = await eventsOf('shown');
    expect(invoked.stderr.trim()).toBe(events.at(-1)?.message.trim());
    expect(invoked.stderr).not.toContain(FORGED_ID);

    const { stdout } = await runHearth(['logs', 'shown'], { environment });
    const began = stdout.split('\n').filter((line) => /^\d{4}-\d\d-\d\dT/.test(line));
    expect(began).toHaveLength(events.length);
    const json = await runHearth(['logs', 'shown', '--json'], { environment });
    const parsed = json.stdout
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(parsed).toEqual(events);
  });
});
