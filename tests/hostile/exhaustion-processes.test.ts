import { DeleteFunctionCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { invoke, invokeWithLog, type InvokeAnswer } from '../support/function.ts';
import {
  HostileServer,
  MARK_JS,
  MARK_PY,
  processesOfUser,
  userOf,
} from '../support/hostile-server.ts';

const BOMB_PY = `
import os
${MARK_PY}
calls = 0

def bomb():
    while True:
        try:
            os.fork()
        except OSError:
            pass

def handler(event, context):
    global calls
    calls += 1
    if event.get("bomb"):
        bomb()
    mark(context.function_name)
    return [calls, os.path.exists("/tmp/kept") or open("/tmp/kept", "w").close()]
`;

/** A shell that cannot fork gives up, so that there are always others that begin anew. */
const BOMB_JS = `${MARK_JS}
const { spawn } = require('node:child_process');
const fs = require('node:fs');
let calls = 0;
exports.handler = async ({ bomb }, context) => {
  calls += 1;
  if (bomb) {
    const again = () => spawn('/bin/sh', ['-c', 'f() { f | f & f; }; f'], { detached: true, stdio: 'ignore' })
      .on('error', () => {}).on('exit', again);
    again();
    await new Promise(() => setInterval(() => {}, 1000));
  }
  mark(context.functionName);
  const kept = fs.existsSync('/tmp/kept');
  fs.writeFileSync('/tmp/kept', '');
  return [calls, kept || null];
};`;

/** Leaves behind what does not want to go. */
const STAYING_PY = `
import os, signal, time
${MARK_PY}
calls = 0

def stay():
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True:
        time.sleep(1)

def daemon():
    if os.fork() != 0:
        return
    os.setsid()
    if os.fork() == 0:
        stay()
    os._exit(0)

def handler(event, context):
    global calls
    calls += 1
    mark(context.function_name)
    if event.get("daemons"):
        for _ in range(20):
            daemon()
            os.wait()
    if event.get("stop"):
        os.kill(1, signal.SIGSTOP)
    if event.get("first"):
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV):
            os.kill(1, number)
    if event.get("all"):
        os.kill(-1, signal.SIGKILL)
    if "exit" in event:
        os._exit(event["exit"])
    if event.get("hang"):
        stay()
    return [calls, os.getpid()]
`;

describe('D. Exhaustion of processes', () => {
  let hostile: HostileServer;
  beforeAll(async () => {
    hostile = await HostileServer.open();
  });
  afterAll(async () => {
    await hostile[Symbol.asyncDispose]();
  });

  test.for(['node', 'python'])(
    'D36 a fork bomb in %s ends with its timeout',
    async (language, context) => {
      hostile.requires(context, 'processes', 'user');
      if (language === 'python') hostile.requiresPython(context);
      const name = `bomb-${language}`;
      const settings = { Timeout: 3, MemorySize: 3_008 };
      if (language === 'python') await hostile.deployPython(name, BOMB_PY, settings);
      else await hostile.deployNode(name, BOMB_JS, settings);
      expect((await invoke(hostile.client, name)).result).toEqual([1, null]);
      const user = await userOf(name);
      for (const round of [1, 2]) {
        const bomb = invokeWithLog(hostile.client, name, { bomb: true });
        expectTimeout(await hostile.besideNeighbour(bomb), 3);
        expect([round, await processesOfUser(user)]).toEqual([round, []]);
        expect((await invoke(hostile.client, name)).result).toEqual([1, true]);
      }
    },
  );

  test('D40 descriptors run out inside only, and the function goes on', async (context) => {
    hostile.requires(context, 'openFiles');
    await hostile.deployNode(
      'descriptors',
      `const fs = require('node:fs');
      exports.handler = async () => {
        let opened = 0;
        try {
          for (;;) { fs.openSync('/dev/null'); opened += 1; }
        } catch (error) {
          return { opened, code: error.code };
        }
      };`,
    );
    const first = await hostile.besideNeighbour(invoke(hostile.client, 'descriptors'));
    const { opened, code } = first.result as { opened: number; code: string };
    expect(code).toBe('EMFILE');
    expect(opened).toBeLessThan(1_024);
    expect(opened).toBeGreaterThan(900);
    expect((await invoke(hostile.client, 'descriptors')).result).toEqual({ opened: 0, code });
  });

  test('D43 what was left behind goes with the process that ends', async (context) => {
    hostile.requires(context, 'processIsolation', 'user');
    hostile.requiresPython(context);
    await hostile.deployPython('staying', STAYING_PY, { Timeout: 3 });
    await invoke(hostile.client, 'staying', { daemons: true });
    const user = await userOf('staying');
    expect((await processesOfUser(user)).length).toBeGreaterThan(20);
    const exit = invokeWithLog(hostile.client, 'staying', { daemons: true, exit: 3 });
    const { result, requestId, log } = await hostile.besideNeighbour(exit);
    expect(result).toEqual({
      errorType: 'Runtime.ExitError',
      errorMessage: `RequestId: ${requestId} Error: Runtime exited with error: exit status 3`,
    });
    expect(log.find((line) => line.startsWith('REPORT '))).toMatch(
      /\tStatus: error\tError Type: Runtime.ExitError$/,
    );
    expect(await processesOfUser(user)).toEqual([]);

    const hang = invokeWithLog(hostile.client, 'staying', {
      daemons: true,
      stop: true,
      hang: true,
    });
    expectTimeout(await hostile.besideNeighbour(hang), 3);
    expect(await processesOfUser(user)).toEqual([]);
  });

  test('D43 process 1 cannot be killed from inside', async (context) => {
    hostile.requires(context, 'processIsolation', 'user');
    hostile.requiresPython(context);
    await hostile.deployPython('first', STAYING_PY);
    const [, pid] = (await invoke(hostile.client, 'first', { daemons: true })).result as number[];
    const attack = invoke(hostile.client, 'first', { first: true });
    expect((await hostile.besideNeighbour(attack)).result).toEqual([2, pid]);
    expect((await invoke(hostile.client, 'first')).result).toEqual([3, pid]);
  });

  test('D43 a function that kills all it can harms itself at most', async (context) => {
    hostile.requires(context, 'processIsolation', 'user');
    hostile.requiresPython(context);
    await hostile.deployPython('all', STAYING_PY);
    await invoke(hostile.client, 'all', { daemons: true });
    const user = await userOf('all');
    await hostile.besideNeighbour(invoke(hostile.client, 'all', { daemons: true, all: true }));
    // What it was started by may be among them: then its process is replaced as soon as that is dead,
    // within an event or between two.
    await expect
      .poll(async () => (await processesOfUser(user)).length, { timeout: 10_000 })
      .toBeLessThan(20);
    await expect
      .poll(async () => (await invoke(hostile.client, 'all')).result, { timeout: 10_000 })
      .toEqual([expect.any(Number), expect.any(Number)]);
    await hostile.besideNeighbour(Promise.resolve());
  });

  test('D43 nothing survives the environment', async (context) => {
    hostile.requires(context, 'processIsolation', 'user');
    hostile.requiresPython(context);
    await hostile.deployPython('deleted', STAYING_PY);
    await invoke(hostile.client, 'deleted', { daemons: true });
    const user = await userOf('deleted');
    expect((await processesOfUser(user)).length).toBeGreaterThan(20);
    await hostile.client.send(new DeleteFunctionCommand({ FunctionName: 'deleted' }));
    await expect.poll(() => processesOfUser(user), { timeout: 10_000 }).toEqual([]);
    await hostile.besideNeighbour(Promise.resolve());
  });
});

/** What caller and log get of an event that took too long. */
function expectTimeout({ functionError, result, requestId, log }: InvokeAnswer, seconds: number) {
  expect(functionError).toBe('Unhandled');
  expect(result).toEqual({
    errorType: 'Sandbox.Timedout',
    errorMessage: `RequestId: ${requestId} Error: Task timed out after ${seconds}.00 seconds`,
  });
  expect(log.find((line) => line.startsWith('REPORT '))).toMatch(
    new RegExp(
      `\tDuration: ${seconds}000.00 ms\tBilled Duration: ${seconds}000 ms\t.*\tStatus: timeout$`,
    ),
  );
}
