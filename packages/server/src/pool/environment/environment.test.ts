import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../domain/invocation.ts';
import { FRAME } from '../../runtime-api/framed/frame-codec.ts';
import {
  KEEP_ALIVE_MS,
  startPool,
  testVersion,
  WELL_BEHAVED,
  type PlayedRuntime,
  type PoolUnderTest,
  type Send,
} from '../pool-fixture.ts';

const SILENT: PlayedRuntime = { onInit: () => {} };
const HANGS: PlayedRuntime = { onInvoke: () => {} };

function errorOf(outcome: Outcome): unknown {
  expect(outcome.kind).toBe('function-error');
  return JSON.parse(Buffer.from(outcome.payload).toString());
}

function textOf(outcome: Outcome): string {
  return Buffer.from(outcome.payload).toString();
}

/** What a bootstrap does where it cannot load the function. */
function failToLoad(guest: { exit(code: number): void }, send: Send): void {
  send(FRAME.initError, { errorType: 'Runtime.ImportModuleError' }, Buffer.from('{"a":1}'));
  guest.exit(1);
}

/** Until so many processes were started and the limit of the last one's init is armed. */
async function initUnderWay(under: PoolUnderTest, starts: number): Promise<void> {
  await expect
    .poll(() => ({ starts: under.guests.length, timers: under.clock.pendingTimers }))
    .toEqual({ starts, timers: 1 });
}

describe('environment', () => {
  test('init runs once and the CPU share applies after it', async () => {
    await using under = startPool(() => WELL_BEHAVED);
    expect(textOf(await under.invoke())).toBe('"ok"');
    await under.logged('REPORT RequestId: request-1');
    await under.invoke();
    expect(under.guests).toHaveLength(1);
    expect(under.guests[0]?.sandbox.cpuLimited).toBe(true);
    await under.logged('REPORT RequestId: request-2');
    expect(under.log.map((line) => line.split('\t')[0])).toEqual([
      'INIT_START Runtime Version: nodejs:24.1.v0',
      'START RequestId: request-1 Version: $LATEST',
      'END RequestId: request-1',
      'REPORT RequestId: request-1',
      'START RequestId: request-2 Version: $LATEST',
      'END RequestId: request-2',
      'REPORT RequestId: request-2',
    ]);
  });

  test('an init of more than 10 s is ended and run again inside the event, under its timeout', async () => {
    await using under = startPool((start) => (start === 1 ? SILENT : WELL_BEHAVED));
    const outcome = under.invoke();
    await initUnderWay(under, 1);
    under.clock.advance(10_000);
    expect((await outcome).kind).toBe('success');
    await under.logged('REPORT');
    expect(under.log[1]).toBe(
      'INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout',
    );
    expect(under.log.join('\n')).not.toContain('\tInit Duration:');
    expect(under.guests).toHaveLength(2);
    expect(under.made).toHaveLength(1);
  });

  test('an init that never ends costs the event its timeout', async () => {
    await using under = startPool(() => SILENT);
    const outcome = under.invoke();
    await initUnderWay(under, 1);
    under.clock.advance(10_000);
    await initUnderWay(under, 2);
    under.clock.advance(3_000);
    expect(errorOf(await outcome)).toEqual({
      errorType: 'Sandbox.Timedout',
      errorMessage: 'RequestId: request-1 Error: Task timed out after 3.00 seconds',
    });
    await under.logged('REPORT');
    expect(under.log.at(-1)).toMatch(/\tStatus: timeout$/);
  });

  test('an error of init is what the caller gets, reported for both phases', async () => {
    await using under = startPool(() => ({ onInit: failToLoad }));
    const outcome = await under.invoke();
    expect(errorOf(outcome)).toEqual({ a: 1 });
    expect(outcome.errorType).toBe('Runtime.ImportModuleError');
    await under.logged('REPORT');
    expect(under.log.map((line) => line.replace(/[\d.]+ ms/, 'n ms'))).toEqual([
      expect.stringMatching(/^INIT_START/),
      'INIT_REPORT Init Duration: n ms\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError',
      'INIT_REPORT Init Duration: n ms\tPhase: invoke\tStatus: error\tError Type: Runtime.ImportModuleError',
      'START RequestId: request-1 Version: $LATEST',
      'END RequestId: request-1',
      expect.stringMatching(/^REPORT .*\tStatus: error\tError Type: Runtime.ImportModuleError$/),
    ]);
  });

  test('what is printed by an init that fails is in the log before INIT_REPORT', async () => {
    await using under = startPool(() => ({
      onInit: (guest, send) => {
        send(FRAME.initError, { errorType: 'E' }, Buffer.from('{}'));
        // In the same turn of the loop, as one of two pipes that are read one after the other.
        setImmediate(() => {
          guest.stdout.write('printed\n');
          guest.exit(1);
        });
      },
    }));
    await under.invoke();
    await under.logged('REPORT');
    expect(under.log.map((line) => line.split(/[\t ]/)[0])).toEqual([
      'INIT_START',
      'printed',
      'INIT_REPORT',
      'printed',
      'INIT_REPORT',
      'START',
      'END',
      'REPORT',
    ]);
  });

  test('at the deadline the event is answered, its process ended and the sandbox kept', async () => {
    await using under = startPool((start) => (start === 1 ? HANGS : WELL_BEHAVED));
    const outcome = under.invoke();
    await under.logged('START');
    under.clock.advance(2_999);
    under.clock.advance(1);
    expect(errorOf(await outcome)).toMatchObject({ errorType: 'Sandbox.Timedout' });
    expect((await under.invoke()).kind).toBe('success');
    expect(under.made).toHaveLength(1);
    expect(under.guests).toHaveLength(2);
  });

  test('E50 an answer to another request ends the process and fails the event; the next has one of its own', async () => {
    await using under = startPool((start) =>
      start === 1
        ? { onInvoke: (_guest, send) => send(FRAME.response, { requestId: 'another' }) }
        : WELL_BEHAVED,
    );
    expect(errorOf(await under.invoke())).toMatchObject({ errorType: 'Runtime.ExitError' });
    expect((await under.invoke()).kind).toBe('success');
    expect(under.guests).toHaveLength(2);
  });

  test('E51 a second answer ends the process, and the next event begins with init', async () => {
    await using under = startPool((start) =>
      start === 1
        ? {
            onInvoke: (_guest, send, requestId) => {
              send(FRAME.response, { requestId }, Buffer.from('1'));
              send(FRAME.response, { requestId }, Buffer.from('2'));
            },
          }
        : WELL_BEHAVED,
    );
    expect(textOf(await under.invoke())).toBe('1');
    await under.logged('REPORT');
    expect(textOf(await under.invoke())).toBe('"ok"');
    expect(under.guests).toHaveLength(2);
    expect(under.made).toHaveLength(1);
  });

  test('E52 an answer that comes between two events ends the process before the next one', async () => {
    let answerAgain: (() => void) | undefined;
    await using under = startPool((start) =>
      start === 1
        ? {
            onInvoke: (_guest, send, requestId) => {
              const answer = (): void => send(FRAME.response, { requestId }, Buffer.from('1'));
              answer();
              answerAgain = answer;
            },
          }
        : WELL_BEHAVED,
    );
    await under.invoke();
    await under.logged('REPORT');
    answerAgain?.();
    await expect.poll(() => under.states()).toEqual(['cold']);
    expect(textOf(await under.invoke())).toBe('"ok"');
  });

  test('E52 an answer to the event before is not the answer to this one', async () => {
    const requests: string[] = [];
    await using under = startPool((start) =>
      start === 1
        ? {
            onInvoke: (_guest, send, requestId) => {
              requests.push(requestId);
              send(FRAME.response, { requestId: requests[0] }, Buffer.from('"late"'));
            },
          }
        : WELL_BEHAVED,
    );
    await under.invoke();
    await under.logged('REPORT');
    expect(errorOf(await under.invoke())).toMatchObject({ errorType: 'Runtime.ExitError' });
    expect(textOf(await under.invoke())).toBe('"ok"');
    expect(requests).toEqual(['request-1', 'request-2']);
  });

  test('E54 a runtime that says a second time that it is ready is ended', async () => {
    await using under = startPool((start) =>
      start === 1
        ? {
            onInit: (_guest, send) => {
              send(FRAME.ready, {});
              send(FRAME.ready, {});
            },
          }
        : WELL_BEHAVED,
    );
    await under.invoke();
    await under.logged('REPORT');
    expect(textOf(await under.invoke())).toBe('"ok"');
    expect(under.guests).toHaveLength(2);
    expect(under.made).toHaveLength(1);
  });

  test('a process that exits between two events is replaced by the next one', async () => {
    await using under = startPool(() => WELL_BEHAVED);
    await under.invoke();
    await under.logged('REPORT');
    under.guests[0]?.exit(0);
    await expect.poll(() => under.guests[0]?.process.exited).toBeDefined();
    expect((await under.invoke()).kind).toBe('success');
    expect(under.made).toHaveLength(1);
  });

  test('a process that exits right behind its answer is replaced by the next event', async () => {
    await using under = startPool((start) =>
      start === 1
        ? {
            onInvoke: (guest, send, requestId) => {
              send(FRAME.response, { requestId }, Buffer.from('1'));
              guest.exit(0);
            },
          }
        : WELL_BEHAVED,
    );
    expect(textOf(await under.invoke())).toBe('1');
    await under.logged('REPORT');
    expect(under.log.at(-1)).not.toContain('Status');
    expect(textOf(await under.invoke())).toBe('"ok"');
    expect(under.made).toHaveLength(1);
  });

  test('a process that hangs up between two events and stays is ended and replaced', async () => {
    await using under = startPool(() => WELL_BEHAVED);
    await under.invoke();
    await under.logged('REPORT');
    under.guests[0]?.channel.end();
    await expect
      .poll(
        () => {
          under.clock.advance(10);
          return under.states();
        },
        { interval: 1 },
      )
      .toEqual(['cold']);
    expect((await under.invoke()).kind).toBe('success');
    expect(under.guests).toHaveLength(2);
  });

  test('an environment that is idle for the keep-alive time is gone', async () => {
    await using under = startPool(() => WELL_BEHAVED);
    await under.invoke();
    await under.logged('REPORT');
    under.clock.advance(KEEP_ALIVE_MS);
    await expect.poll(() => under.disposed).toEqual(under.made);
    expect(under.clock.pendingTimers).toBe(0);
  });

  test('another generation never meets an old environment, which finishes its event first', async () => {
    const release: (() => void)[] = [];
    await using under = startPool(() => ({
      onInvoke: (_guest, send, requestId) => {
        release.push(() => send(FRAME.response, { requestId }, Buffer.from('1')));
      },
    }));
    const old = under.invoke();
    await expect.poll(() => release.length).toBe(1);
    const updated = testVersion({ generation: 'second' });
    under.pool.retire(updated, 'updated', 'second');
    const next = under.invoke(updated);
    await expect.poll(() => release.length).toBe(2);
    expect(under.made).toHaveLength(2);
    expect(under.disposed).toHaveLength(0);
    for (const answer of release) answer();
    expect((await old).kind).toBe('success');
    expect((await next).kind).toBe('success');
    await expect.poll(() => under.disposed).toEqual(under.made.slice(0, 1));
  });

  test('without extensions a shutdown asks nobody and takes no time', async () => {
    await using under = startPool(() => WELL_BEHAVED);
    await under.invoke();
    await under.logged('REPORT');
    under.pool.retire(testVersion(), 'deleted');
    await expect.poll(() => under.disposed).toEqual(under.made);
    expect(under.guests[0]?.terminated).toBe(false);
  });

  test('ending the pool in the middle of an event answers it and leaves nothing', async () => {
    const under = startPool(() => HANGS);
    const outcome = under.invoke();
    await under.logged('START');
    await under[Symbol.asyncDispose]();
    expect(errorOf(await outcome)).toMatchObject({ errorType: 'Runtime.ExitError' });
    expect(under.disposed).toEqual(under.made);
  });

  test('ending the pool during init rejects the event and leaves nothing', async () => {
    const under = startPool(() => SILENT);
    const outcome = under.invoke();
    const refusal = outcome.catch((error: unknown) => error);
    await under.logged('INIT_START');
    await expect.poll(() => under.guests.length).toBe(1);
    await under[Symbol.asyncDispose]();
    expect(await refusal).toMatchObject({ code: 'ServiceException' });
    expect(under.disposed).toEqual(under.made);
    expect(under.faults).toEqual([]);
  });

  test('a fault of the platform is a ServiceException for the caller and told to the operator', async () => {
    await using under = startPool(() => {
      throw new Error('no more processes');
    });
    await expect(under.invoke()).rejects.toMatchObject({ code: 'ServiceException' });
    expect(under.faults).toEqual([
      expect.stringMatching(/^Cannot run an environment of fn: .*no more processes/),
    ]);
    await expect.poll(() => under.disposed).toEqual(under.made);
  });

  test('what is printed just before the answer is between START and END', async () => {
    await using under = startPool(() => ({
      onInvoke: (guest, send, requestId) => {
        guest.stdout.write('printed\n');
        send(FRAME.response, { requestId }, Buffer.from('1'));
      },
    }));
    const { logTail } = await under.invoke(testVersion(), { wantsLogTail: true });
    expect(
      Buffer.from(logTail ?? [])
        .toString()
        .split('\n')
        .map((line) => line.split(/[\t ]/)[0]),
    ).toEqual(['START', 'printed', 'END', 'REPORT', '']);
  });
});
