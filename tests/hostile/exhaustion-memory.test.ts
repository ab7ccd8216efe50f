import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { invoke, invokeWithLog } from '../support/function.ts';
import {
  MARK_JS,
  MARK_PY,
  HostileServer,
  processesOfUser,
  userOf,
} from '../support/hostile-server.ts';

/** Each way fills memory with something else. */
const BOMB_JS = `${MARK_JS}
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const kept = [];
const ways = {
  buffers() { for (;;) kept.push(Buffer.alloc(8e6, 1)); },
  heap() { for (;;) kept.push({ text: 'x'.repeat(1000) + kept.length, next: [kept.length] }); },
  shared() {
    fs.writeFileSync('/dev/shm/full', Buffer.alloc(60e6, 1));
    ways.buffers();
  },
};
let calls = 0;
exports.handler = async ({ way, name }) => {
  calls += 1;
  if (name !== undefined) mark(name);
  if (way !== undefined) ways[way]();
  const shared = fs.readdirSync('/dev/shm').length;
  return { calls, kept: fs.existsSync('/tmp/kept'), shared };
};
fs.writeFileSync('/tmp/kept', '');
`;

const BOMB_PY = `
import subprocess, sys
${MARK_PY}
calls = 0
BOMB = "kept = []\\nwhile True: kept.append(bytearray(8_000_000))"

def handler(event, context):
    global calls
    calls += 1
    if "name" in event:
        mark(event["name"])
    way = event.get("way")
    if way == "memory":
        kept = []
        while True:
            kept.append(bytearray(8_000_000))
    if way == "child":
        ended = subprocess.run([sys.executable, "-c", BOMB])
        return {"calls": calls, "child": ended.returncode}
    if way == "cache":
        # Far more than the limit, through the page cache.
        with open("/tmp/big", "wb") as big:
            for _ in range(400):
                big.write(b"x" * 1_000_000)
        with open("/tmp/big", "rb") as big:
            return {"calls": calls, "read": sum(len(part) for part in iter(lambda: big.read(1_000_000), b""))}
    return {"calls": calls}
`;

describe('D. Exhaustion of memory', () => {
  let hostile: HostileServer;
  beforeAll(async () => {
    hostile = await HostileServer.open();
  });
  afterAll(async () => {
    await hostile[Symbol.asyncDispose]();
  });

  /** What the caller and the log get when the memory of an environment is at an end. */
  async function expectOutOfMemory(name: string, way: string, user: number): Promise<void> {
    const bomb = invokeWithLog(hostile.client, name, { way });
    const { functionError, result, requestId, log } = await hostile.besideNeighbour(bomb);
    expect(functionError).toBe('Unhandled');
    expect(result).toEqual({
      errorType: 'Runtime.ExitError',
      errorMessage: `RequestId: ${requestId} Error: Runtime exited with error: signal: killed`,
    });
    const report = log.find((line) => line.startsWith('REPORT '));
    expect(report).toMatch(
      /\tMemory Size: 128 MB\tMax Memory Used: 12[78] MB\t.*Status: error\tError Type: Runtime.OutOfMemory$/,
    );
    expect(await processesOfUser(user)).toEqual([]);
  }

  test('D37 a memory bomb ends only its own environment, again and again', async (context) => {
    hostile.requires(context, 'memory', 'user');
    await hostile.deployNode('node-bomb', BOMB_JS);
    await invoke(hostile.client, 'node-bomb', { name: 'node-bomb' });
    const user = await userOf('node-bomb');
    for (const way of ['buffers', 'shared', 'buffers']) {
      await expectOutOfMemory('node-bomb', way, user);
      // The same environment, with /tmp, and with nothing of what filled its memory.
      expect((await invoke(hostile.client, 'node-bomb')).result).toEqual({
        calls: 1,
        kept: true,
        shared: 0,
      });
    }
  });

  test('D37 a heap that grows without end ends only its own environment', async (context) => {
    hostile.requires(context, 'memory', 'user');
    await hostile.deployNode('heap-bomb', BOMB_JS);
    await invoke(hostile.client, 'heap-bomb');
    const bomb = invokeWithLog(hostile.client, 'heap-bomb', { way: 'heap' });
    const { functionError, result, log } = await hostile.besideNeighbour(bomb);
    expect(functionError).toBe('Unhandled');
    // V8 gives up by itself, or the kernel is faster.
    expect(result).toMatchObject({
      errorType: 'Runtime.ExitError',
      errorMessage: expect.stringMatching(/signal: (aborted|killed)$/),
    });
    expect(log.join('\n')).toMatch(/Status: error\tError Type: Runtime.(ExitError|OutOfMemory)$/m);
    expect((await invoke(hostile.client, 'heap-bomb')).result).toMatchObject({
      calls: 1,
      kept: true,
    });
  });

  test('D37 memory of a child counts, and its end is not that of the function', async (context) => {
    hostile.requires(context, 'memory', 'user');
    hostile.requiresPython(context);
    await hostile.deployPython('py-bomb', BOMB_PY);
    await invoke(hostile.client, 'py-bomb', { name: 'py-bomb' });
    const user = await userOf('py-bomb');
    const child = await hostile.besideNeighbour(
      invokeWithLog(hostile.client, 'py-bomb', { way: 'child' }),
    );
    // -9: SIGKILL.
    expect(child.result).toEqual({ calls: 2, child: -9 });
    expect(child.log.find((line) => line.startsWith('REPORT '))).not.toContain('Status');
    await expectOutOfMemory('py-bomb', 'memory', user);
    expect((await invoke(hostile.client, 'py-bomb')).result).toEqual({ calls: 1 });
  });

  test('D37 whatever starts a function, it goes before the server where the host has no memory', async (context) => {
    hostile.requires(context, 'user');
    hostile.requiresPython(context);
    const read = "require('node:fs').readFileSync('/proc/self/oom_score_adj', 'utf8').trim()";
    await hostile.deployNode('score-node', `exports.handler = async () => ${read};`);
    await hostile.deployPython(
      'score-python',
      'def handler(event, context):\n    with open("/proc/self/oom_score_adj") as score:\n        return score.read().strip()\n',
    );
    for (const name of ['score-node', 'score-python']) {
      expect([name, (await invoke(hostile.client, name)).result]).toEqual([name, '500']);
    }
  });

  test('D37 the page cache counts, but is given up before anything ends', async (context) => {
    hostile.requires(context, 'memory', 'ephemeralStorage');
    hostile.requiresPython(context);
    await hostile.deployPython('py-cache', BOMB_PY);
    const cache = invoke(hostile.client, 'py-cache', { way: 'cache' });
    expect((await hostile.besideNeighbour(cache)).result).toEqual({ calls: 1, read: 400_000_000 });
  });
});
