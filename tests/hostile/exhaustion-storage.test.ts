import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { invoke, invokeWithLog } from '../support/function.ts';
import { HostileServer } from '../support/hostile-server.ts';

/** Writes until nothing more fits, and tells how much that was and why it ended. */
const FILL_JS = `
const fs = require('node:fs');
const part = Buffer.alloc(1048576, 1);
function fill(folder) {
  const file = fs.openSync(folder + '/fill', 'w');
  let bytes = 0;
  try {
    for (;;) bytes += fs.writeSync(file, part);
  } catch (error) {
    return { mb: bytes / 1048576, code: error.code };
  } finally {
    fs.closeSync(file);
  }
}
function exhaustNames(folder) {
  fs.mkdirSync(folder + '/names');
  try {
    for (let count = 0; ; count += 1) fs.writeFileSync(folder + '/names/' + count, '');
  } catch (error) {
    return error.code;
  }
}
exports.handler = async ({ folder, clear, names }) => {
  if (clear) fs.rmSync(folder + '/fill');
  const result = names ? { names: exhaustNames(folder) } : fill(folder);
  // What an error leaves behind must be of use.
  if (names) fs.rmSync(folder + '/names', { recursive: true });
  return result;
};`;

describe('D. Exhaustion of storage', () => {
  let hostile: HostileServer;
  beforeAll(async () => {
    hostile = await HostileServer.open();
  });
  afterAll(async () => {
    await hostile[Symbol.asyncDispose]();
  });

  test.for([512, 1_024])('D38 /tmp of %i MB takes that and no more', async (size, context) => {
    hostile.requires(context, 'ephemeralStorage');
    const name = `fill-${size}`;
    const settings = { EphemeralStorage: { Size: size }, MemorySize: 256, Timeout: 60 };
    await hostile.deployNode(name, FILL_JS, settings);
    const filled = await hostile.besideNeighbour(
      invokeWithLog(hostile.client, name, { folder: '/tmp' }),
    );
    expect(filled.functionError).toBeUndefined();
    const { mb, code } = filled.result as { mb: number; code: string };
    expect(code).toBe('ENOSPC');
    // What a file of that size needs to be found is not the function's to use.
    expect(mb).toBeLessThanOrEqual(size);
    expect(mb).toBeGreaterThan(size - 4);
    expect(filled.log.find((line) => line.startsWith('REPORT '))).not.toContain('Status');
    // What is removed can be written again; nothing was lost for good.
    const again = invoke(hostile.client, name, { folder: '/tmp', clear: true });
    expect((await hostile.besideNeighbour(again)).result).toEqual({ mb, code });
  });

  test('D38 names run out inside only', async (context) => {
    hostile.requires(context, 'ephemeralStorage');
    await hostile.deployNode('names', FILL_JS, { MemorySize: 1_769, Timeout: 60 });
    const names = invoke(hostile.client, 'names', { folder: '/tmp', names: true });
    expect((await hostile.besideNeighbour(names)).result).toEqual({ names: 'ENOSPC' });
  });

  test('D39 /dev/shm takes 64 MB and is charged to the function', async (context) => {
    hostile.requires(context, 'sharedMemory', 'memory');
    await hostile.deployNode('shared', FILL_JS, { MemorySize: 256 });
    const shared = invokeWithLog(hostile.client, 'shared', { folder: '/dev/shm' });
    const { result, log } = await hostile.besideNeighbour(shared);
    expect(result).toEqual({ mb: 64, code: 'ENOSPC' });
    const used = /Max Memory Used: (\d+) MB/.exec(log.join('\n'))?.[1];
    expect(Number(used)).toBeGreaterThan(64);
  });
});
