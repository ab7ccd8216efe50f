import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, test } from 'vitest';
import { type DescriptorCalls, loadDescriptorCalls } from './descriptor-calls.ts';
import { SystemCallError } from './linux-system-calls.ts';
import { loadSpawnCalls, type SpawnCalls, type SpawnRequest } from './spawn-calls.ts';

describe.skipIf(process.platform !== 'linux')('a program that is spawned', () => {
  let spawns: SpawnCalls;
  let descriptors: DescriptorCalls;
  beforeAll(async () => {
    spawns = await loadSpawnCalls();
    descriptors = await loadDescriptorCalls();
  });

  /** Spawns it with sockets as its first descriptors, as many as are asked for. */
  function spawnWithSockets(command: Omit<SpawnRequest, 'descriptors'>, count: number) {
    const pairs = Array.from({ length: count }, () => descriptors.createSocketPair());
    try {
      const pid = spawns.spawn({ ...command, descriptors: pairs.map(({ theirs }) => theirs) });
      return { pid, sockets: pairs.map(({ ours }) => new Socket({ fd: ours })) };
    } catch (error) {
      for (const { ours } of pairs) closeSync(ours);
      throw error;
    } finally {
      for (const { theirs } of pairs) closeSync(theirs);
    }
  }

  async function outputOf(program: string, ...parameters: string[]): Promise<string> {
    const { pid, sockets } = spawnWithSockets({ program, parameters }, 2);
    const [input, output] = sockets;
    if (input === undefined || output === undefined) throw new Error('it has two');
    const printed = await text(output);
    input.destroy();
    expect(spawns.reap(pid)).toEqual({ code: 0, signal: undefined });
    return printed;
  }

  test('gets its parameters, whatever is in them', async () => {
    const parameters = ['%s|', '', 'a b', '\'"$(id)', 'Grüße'];
    expect(await outputOf('/usr/bin/printf', ...parameters)).toBe(`|a b|'"$(id)|Grüße|`);
  });

  test('has no signal blocked or ignored, though Node.js ignores SIGPIPE', async () => {
    const own = /^SigIgn:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
    expect((Number(`0x${own}`) >> (constants.signals.SIGPIPE - 1)) & 1).toBe(1);
    const status = await outputOf('/bin/cat', '/proc/self/status');
    for (const set of ['SigBlk', 'SigIgn', 'SigCgt']) {
      expect(status).toMatch(new RegExp(`^${set}:\\s*0+$`, 'm'));
    }
  });

  test('has an empty environment, the root as its folder, and exactly its descriptors', async () => {
    const kept = openSync('/dev/zero', 'r');
    const { pid, sockets } = spawnWithSockets({ program: '/bin/cat', parameters: [] }, 4);
    try {
      const [input, output] = sockets;
      if (input === undefined || output === undefined) throw new Error('it has four');
      await echoed(input, output);
      expect(readFileSync(`/proc/${pid}/environ`)).toHaveLength(0);
      expect(readlinkSync(`/proc/${pid}/cwd`)).toBe('/');
      expect(readdirSync(`/proc/${pid}/fd`)).toEqual(['0', '1', '2', '3']);
    } finally {
      for (const socket of sockets) socket.destroy();
      spawns.reap(pid);
      closeSync(kept);
    }
  });

  test('gets descriptors in any order, some of them twice, and some not at all', async () => {
    const files = ['/dev/null', '/dev/zero', '/dev/full'];
    const opened = files.map((path) => openSync(path, 'r'));
    // Low numbers, which are places to fill at the same time.
    const taken = readdirSync('/proc/self/fd').map(Number);
    const source = (index: number): number => opened[index % opened.length] ?? -1;
    const wanted = Array.from({ length: Math.max(...taken) + 3 }, (_, target) =>
      target % 5 === 4 ? undefined : source(target + 1),
    );
    const block = descriptors.createSocketPair();
    wanted.splice(0, 2, block.theirs, block.theirs);
    const pid = spawns.spawn({ program: '/bin/cat', parameters: [], descriptors: wanted });
    const socket = new Socket({ fd: block.ours });
    try {
      await echoed(socket, socket);
      const seen = new Map(
        readdirSync(`/proc/${pid}/fd`).map((name) => [
          Number(name),
          readlinkSync(`/proc/${pid}/fd/${name}`),
        ]),
      );
      const expected = wanted.flatMap((descriptor, target) =>
        descriptor === undefined ? [] : [[target, readlinkSync(`/proc/self/fd/${descriptor}`)]],
      );
      expect([...seen].toSorted(([a], [b]) => a - b)).toEqual(expected);
    } finally {
      for (const descriptor of [...opened, block.theirs]) closeSync(descriptor);
      socket.destroy();
      spawns.reap(pid);
    }
  });

  test('that cannot be executed is an error with its name, and leaves nothing', () => {
    const before = readdirSync('/proc/self/fd').length;
    for (const [program, code] of [
      ['/absent/program', 'ENOENT'],
      ['/dev/null', 'EACCES'],
    ] as const) {
      const failing = (): unknown => spawnWithSockets({ program, parameters: [] }, 5);
      expect(failing).toThrow(new SystemCallError('posix_spawn', program, code));
    }
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
    expect(childrenOf('self')).toEqual([]);
  });

  test('is forgotten once it was waited for, with its status', () => {
    const exited = spawns.spawn({
      program: '/bin/sh',
      parameters: ['-c', 'exit 7'],
      descriptors: [],
    });
    expect(spawns.reap(exited)).toEqual({ code: 7, signal: undefined });
    const { pid, sockets } = spawnWithSockets({ program: '/bin/cat', parameters: [] }, 2);
    process.kill(pid, 'SIGKILL');
    expect(spawns.reap(pid)).toEqual({ code: undefined, signal: 9 });
    expect(spawns.reap(pid)).toBeUndefined();
    for (const socket of sockets) socket.destroy();
    expect(childrenOf('self')).toEqual([]);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});

/** Settles when `cat` is loaded, and has nothing open any more that it needed for it. */
async function echoed(input: Socket, output: Socket): Promise<void> {
  const data = once(output, 'data');
  input.write('x');
  await data;
}

/** Living ones and zombies, of all threads. */
function childrenOf(pid: string): string[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean),
  );
}
