import { once } from 'node:events';
import { closeSync, readdirSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { loadProcessCalls, type ProcessCalls, SpawnedProcess } from './spawned-process.ts';

const CAT = { program: '/bin/cat', parameters: [] };

describe.skipIf(process.platform !== 'linux')('a spawned process', () => {
  let calls: ProcessCalls;
  beforeAll(async () => {
    calls = await loadProcessCalls();
  });

  /** A process that ends when the socket does. */
  function start(): { readonly process: SpawnedProcess; readonly socket: Socket } {
    const { ours, theirs } = calls.descriptors.createSocketPair();
    const pid = calls.spawns.spawn({ ...CAT, descriptors: [theirs, theirs] });
    closeSync(theirs);
    return { process: new SpawnedProcess(calls, pid), socket: new Socket({ fd: ours }) };
  }

  test('is forgotten when it has ended, and can be killed then without effect', async () => {
    const { process: child, socket } = start();
    socket.destroy();
    await child.ended;
    expect(stateOf(child.pid)).toBeUndefined();
    child.kill();
  });

  test('can be killed', async () => {
    const { process: child, socket } = start();
    child.kill();
    await child.ended;
    expect(stateOf(child.pid)).toBeUndefined();
    socket.destroy();
  });

  test('leaves neither a zombie nor a descriptor, a hundred times at once', async () => {
    const before = readdirSync('/proc/self/fd').length;
    await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const { process: child, socket } = start();
        const closed = once(socket, 'close');
        if (index % 2 === 0) child.kill();
        else socket.end();
        socket.resume();
        await Promise.all([child.ended, closed]);
        expect(stateOf(child.pid)).toBeUndefined();
      }),
    );
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
  });

  test('that nobody could wait for is ended at once', () => {
    const pid = calls.spawns.spawn({ program: '/bin/sleep', parameters: ['60'], descriptors: [] });
    const refusing = vi.spyOn(calls.calls, 'openProcess').mockImplementationOnce(() => {
      throw new Error('no descriptor left');
    });
    expect(() => new SpawnedProcess(calls, pid)).toThrow('no descriptor left');
    expect(stateOf(pid)).toBeUndefined();
    refusing.mockRestore();
  });
});

function stateOf(pid: number): string | undefined {
  try {
    return /.*\) (\S)/s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1];
  } catch {
    return undefined;
  }
}
