import {
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { invoke, zipOf } from '../support/function.ts';
import { printed } from '../support/function-log.ts';
import { HostileServer } from '../support/hostile-server.ts';

/** Leaves a name wherever it can, finds what is left of others, and ends as it is told. */
const TRACES_JS = `
const fs = require('node:fs');
const { execFileSync } = require('node:child_process');
const PLACES = ['/tmp', '/dev/shm', '/var/tmp', '/run', '/home', '/var/task', '/opt', '/var/hearth/cache'];
const found = () => PLACES.flatMap((place) => {
  try {
    return fs.readdirSync(place).filter((name) => name.startsWith('trace-')).map((name) => place + '/' + name);
  } catch { return []; }
});
const leave = (name) => {
  for (const place of PLACES) {
    try { fs.writeFileSync(place + '/trace-' + name, ''); } catch {}
  }
  // System V shared memory and message queues have no folder.
  globalThis.kept = name;
};
let calls = 0;
exports.handler = async ({ name, crash, hang, announce }) => {
  calls += 1;
  const before = found();
  if (name !== undefined) leave(name);
  if (announce) console.log('it runs');
  if (crash) process.kill(process.pid, 'SIGKILL');
  if (hang) for (;;);
  return {
    calls, found: before, kept: globalThis.kept, code: __dirname,
    stream: process.env.AWS_LAMBDA_LOG_STREAM_NAME, stage: process.env.STAGE,
    ipc: fs.readFileSync('/proc/sysvipc/shm', 'utf8').trim().split('\\n').length - 1,
  };
};`;

interface Traces {
  readonly calls: number;
  readonly found: readonly string[];
  readonly stream: string;
}

describe('E. Between environments', () => {
  let hostile: HostileServer;
  beforeAll(async () => {
    hostile = await HostileServer.open();
  });
  afterAll(async () => {
    await hostile[Symbol.asyncDispose]();
  });

  const traces = async (name: string, event: object = {}): Promise<Traces> =>
    (await invoke(hostile.client, name, event)).result as Traces;

  test('E46 another function finds nothing of what one has left', async (context) => {
    hostile.requires(context, 'filesystem');
    await hostile.deployNode('first', TRACES_JS);
    await hostile.deployNode('second', TRACES_JS);
    expect((await traces('first', { name: 'first' })).found).toEqual([]);
    expect(await traces('second', { name: 'second' })).toMatchObject({ found: [], ipc: 0 });
    expect((await traces('first')).found).toEqual(['/tmp/trace-first', '/dev/shm/trace-first']);
    expect((await traces('second')).found).toEqual(['/tmp/trace-second', '/dev/shm/trace-second']);
  });

  test('E46 nor does another environment of the same function', async (context) => {
    hostile.requires(context, 'filesystem');
    await hostile.deployNode('twins', TRACES_JS, { Timeout: 4 });
    const busy = invoke(hostile.client, 'twins', { name: 'busy', announce: true, hang: true });
    await printed(hostile.endpoint, 'twins', 'it runs');
    // While the one is busy another is begun.
    expect(await traces('twins', { name: 'other' })).toMatchObject({ calls: 1, found: [] });
    expect((await busy).result).toMatchObject({ errorType: 'Sandbox.Timedout' });
  });

  test('E47 /tmp stays in an environment, after a crash and a timeout, too; memory goes', async (context) => {
    hostile.requires(context, 'filesystem');
    await hostile.deployNode('kept', TRACES_JS, { Timeout: 2 });
    const first = await traces('kept', { name: 'first' });
    expect(first).toMatchObject({ calls: 1, found: [], kept: 'first' });
    const warm = await traces('kept');
    expect(warm).toMatchObject({ calls: 2, found: ['/tmp/trace-first', '/dev/shm/trace-first'] });
    for (const [event, errorType] of [
      [{ name: 'crashed', crash: true }, 'Runtime.ExitError'],
      [{ name: 'timed-out', hang: true }, 'Sandbox.Timedout'],
    ] as const) {
      expect((await invoke(hostile.client, 'kept', event)).result).toMatchObject({ errorType });
      const after = await traces('kept');
      expect(after.calls).toBe(1);
      expect(after.stream).toBe(first.stream);
      // Memory has no name of its own, nor has what was in it.
      expect(after.found).toContain(`/tmp/trace-${event.name}`);
      expect(after.found.filter((path) => !path.startsWith('/tmp/'))).toEqual([]);
      expect(after).not.toHaveProperty('kept');
    }
  });

  test('E48 an updated function never gets an environment of before', async (context) => {
    hostile.requires(context, 'filesystem');
    await hostile.deployNode('updated', TRACES_JS);
    const streams = new Set([(await traces('updated', { name: 'one' })).stream]);
    const updated = (): Promise<unknown> =>
      waitUntilFunctionUpdatedV2(
        { client: hostile.client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 },
        { FunctionName: 'updated' },
      );
    const expectNew = async (expected: object): Promise<void> => {
      const result = await traces('updated', { name: 'left' });
      expect(result).toMatchObject({ calls: 1, found: [], ...expected });
      expect(streams).not.toContain(result.stream);
      streams.add(result.stream);
    };
    const Environment = { Variables: { STAGE: 'blue' } };
    await hostile.client.send(
      new UpdateFunctionConfigurationCommand({ FunctionName: 'updated', Environment }),
    );
    await updated();
    await expectNew({ stage: 'blue' });
    const ZipFile = await zipOf({ 'index.js': `${TRACES_JS}\n// another version` });
    await hostile.client.send(new UpdateFunctionCodeCommand({ FunctionName: 'updated', ZipFile }));
    await updated();
    await expectNew({ stage: 'blue' });
    // Back to what it was is new, too.
    await hostile.client.send(
      new UpdateFunctionConfigurationCommand({
        FunctionName: 'updated',
        Environment: { Variables: {} },
      }),
    );
    await updated();
    await expectNew({});
  });

  test('E48 an event that runs during an update ends where it began, and nobody follows it there', async (context) => {
    hostile.requires(context, 'filesystem');
    await hostile.deployNode('moving', TRACES_JS, { Timeout: 3 });
    await traces('moving');
    const running = invoke(hostile.client, 'moving', { name: 'old', announce: true, hang: true });
    await printed(hostile.endpoint, 'moving', 'it runs');
    const ZipFile = await zipOf({ 'index.js': `${TRACES_JS}\n// new` });
    await hostile.client.send(new UpdateFunctionCodeCommand({ FunctionName: 'moving', ZipFile }));
    await waitUntilFunctionUpdatedV2(
      { client: hostile.client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 },
      { FunctionName: 'moving' },
    );
    expect(await traces('moving')).toMatchObject({ calls: 1, found: [] });
    expect((await running).result).toMatchObject({ errorType: 'Sandbox.Timedout' });
    expect(await traces('moving')).toMatchObject({ calls: 2, found: [] });
  });
});
