import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { invoke, invokeWithLog } from '../support/function.ts';
import { HostileServer } from '../support/hostile-server.ts';
import { type ServerAsProcess, startServerAsProcess } from '../support/server-as-process.ts';

/** Prints `bytes` in lines of `line` bytes; one line without end where that is 0. */
const FLOOD_JS = `
const fs = require('node:fs');
let calls = 0;
function write(file, bytes) {
  for (let at = 0; at < bytes.length; ) at += fs.writeSync(file, bytes, at);
}
exports.handler = async ({ bytes, line, file = 1, frame }) => {
  calls += 1;
  if (bytes === undefined) return calls;
  if (frame) {
    const header = Buffer.alloc(16);
    header.writeUInt32BE(0xa55a0003, 0);
    header.writeUInt32BE(bytes, 4);
    write(file, header);
  }
  const unit = line === 0 ? 'x' : 'x'.repeat(line - 1) + '\\n';
  const part = Buffer.from(unit.repeat(Math.ceil(1048576 / unit.length)));
  for (let written = 0; written < bytes; written += part.length) {
    write(file, part.subarray(0, bytes - written));
  }
  console.log('the end');
  return calls;
};`;

const MEGABYTE = 1_000_000;
/**
 * How much more than at rest the server may ever hold, whatever is printed: the queue of one group, a
 * chunk and a line of each stream, and what V8 lets lie about before it collects it. The floods below
 * are five times as much.
 */
const GROWTH_MB = 450;
const FLOOD_LIMIT_MS = 170_000;

describe('D. Exhaustion of the log', () => {
  let server: ServerAsProcess;
  let hostile: HostileServer;
  let atRestMb: number;
  beforeAll(async () => {
    server = await startServerAsProcess();
    hostile = await HostileServer.open(server);
    await Promise.all([
      hostile.deployNode('flood', FLOOD_JS, { MemorySize: 1_769, Timeout: 160 }),
      hostile.deployNode('flood-on', FLOOD_JS, { MemorySize: 1_769, Timeout: 5 }),
    ]);
    await invoke(hostile.client, 'flood');
    await invoke(hostile.client, 'flood-on');
    atRestMb = await server.peakMb();
  });
  afterAll(async () => {
    await hostile[Symbol.asyncDispose]();
  });

  test.for([
    ['1 GB in lines of 1 KB', { bytes: 1_000 * MEGABYTE, line: 1_024 }],
    ['20 MB in short lines to standard error', { bytes: 20 * MEGABYTE, line: 40, file: 2 }],
    ['one line of 100 MB', { bytes: 100 * MEGABYTE, line: 0 }],
    ['one log frame of 300 MB', { bytes: 300 * MEGABYTE, line: 0, file: 4, frame: true }],
  ] as const)(
    'D42 %s leave the memory of the server flat',
    { timeout: FLOOD_LIMIT_MS },
    async ([_what, event], context) => {
      context.skip(process.platform !== 'linux', 'needs /proc');
      const flood = await hostile.besideNeighbour(invokeWithLog(hostile.client, 'flood', event));
      expect(flood).toMatchObject({ functionError: undefined, result: expect.any(Number) });
      expect((await server.peakMb()) - atRestMb).toBeLessThan(GROWTH_MB);
      // The tail is cut, and the last line is that of the platform all the same.
      expect(flood.log.join('\n').length).toBeLessThanOrEqual(4_096);
      expect(flood.log.at(-2)).toMatch(/^REPORT RequestId: /);
      const next = await hostile.besideNeighbour(invokeWithLog(hostile.client, 'flood'));
      expect(next.result).toBe((flood.result as number) + 1);
      expect(next.log[0]).toMatch(/^START /);
    },
  );

  test('D42 a flood of empty lines is ended by the timeout', async (context) => {
    context.skip(process.platform !== 'linux', 'needs /proc');
    const event = { bytes: 1e15, line: 1 };
    const flood = await hostile.besideNeighbour(invokeWithLog(hostile.client, 'flood-on', event));
    expect(flood.result).toMatchObject({ errorType: 'Sandbox.Timedout' });
    expect(flood.log.at(-2)).toMatch(/^REPORT .*\tDuration: 5000.00 ms\t.*\tStatus: timeout$/);
    expect((await server.peakMb()) - atRestMb).toBeLessThan(GROWTH_MB);
    expect((await hostile.besideNeighbour(invoke(hostile.client, 'flood-on'))).result).toBe(1);
  });
});
