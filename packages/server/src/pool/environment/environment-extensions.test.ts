import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http, { type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import type { FakeGuest } from '../../sandbox/fake/fake-driver.ts';
import { FRAME } from '../../runtime-api/framed/frame-codec.ts';
import type { EnvironmentEvent } from './environment-state.ts';
import { startPool, testVersion, type PlayedRuntime, type PoolUnderTest } from '../pool-fixture.ts';

const API = '2020-01-01/extension';
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A folder of merged layers with these external extensions. */
function layersWith(...names: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-layers-'));
  folders.push(folder);
  mkdirSync(join(folder, 'extensions'));
  for (const name of names) {
    writeFileSync(join(folder, 'extensions', name), '#!/bin/sh\n', { mode: 0o755 });
  }
  return folder;
}

interface NextEvent {
  readonly eventType: 'INVOKE' | 'SHUTDOWN';
  readonly requestId?: string;
  readonly shutdownReason?: string;
}

/** Plays an extension's process: the requests that it makes. */
class PlayedExtension {
  readonly guest: FakeGuest;
  readonly name: string;
  #identifier = '';

  constructor(guest: FakeGuest, name = guest.command.argv[0].split('/').at(-1) ?? '') {
    this.guest = guest;
    this.name = name;
  }

  async register(events: string[]): Promise<void> {
    const { status, headers } = await this.#call(
      'POST',
      'register',
      { 'Lambda-Extension-Name': this.name },
      JSON.stringify({ events }),
    );
    if (status !== 200) throw new Error(`register was answered with ${status}`);
    this.#identifier = String(headers['lambda-extension-identifier']);
  }

  async next(): Promise<NextEvent> {
    const { body } = await this.#call('GET', 'event/next', this.#identity);
    return JSON.parse(body) as NextEvent;
  }

  async failInit(): Promise<void> {
    await this.#call('POST', 'init/error', {
      ...this.#identity,
      'Lambda-Extension-Function-Error-Type': 'Extension.NoConfiguration',
    });
    this.guest.exit(1);
  }

  get #identity(): OutgoingHttpHeaders {
    return { 'Lambda-Extension-Identifier': this.#identifier };
  }

  /** Each process has connections of its own, which a shared agent would mix up. */
  #call(method: string, path: string, headers: OutgoingHttpHeaders, body = ''): Promise<Answer> {
    const api = this.guest.command.environment['AWS_LAMBDA_RUNTIME_API'];
    return new Promise((resolve, reject) => {
      const request = http.request(
        `http://${api}/${API}/${path}`,
        { method, headers, agent: false },
        (response) => {
          const { statusCode: status, headers: answered } = response;
          text(response).then(
            (answer) => resolve({ status, headers: answered, body: answer }),
            reject,
          );
        },
      );
      request.on('error', reject);
      request.end(body);
    });
  }
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Played {
  readonly under: PoolUnderTest;
  readonly extensions: PlayedExtension[];
}

function startWith(
  names: string[],
  playExtension: (extension: PlayedExtension) => Promise<void>,
  runtime: PlayedRuntime = {},
): Played {
  const extensions: PlayedExtension[] = [];
  const under = startPool(
    (_start, guest) => {
      if (!guest.command.argv[0].includes('/extensions/')) return runtime;
      const extension = new PlayedExtension(guest);
      extensions.push(extension);
      // A connection that ends with the environment is how most of them end.
      playExtension(extension).catch(() => {});
      return undefined;
    },
    { layerFolder: layersWith(...names) },
  );
  return { under, extensions };
}

/** The runtime of a life that ends has its time to exit. */
async function timePasses(under: PoolUnderTest, until: Promise<unknown>): Promise<void> {
  let settled = false;
  void until.finally(() => {
    settled = true;
  });
  await expect
    .poll(
      () => {
        under.clock.advance(100);
        return settled;
      },
      { interval: 1 },
    )
    .toBe(true);
}

async function timerArmed(under: PoolUnderTest): Promise<void> {
  await expect.poll(() => under.clock.pendingTimers).toBeGreaterThan(0);
}

describe('an environment with extensions', () => {
  test('they are initialised first, told of each event, and waited for before the next', async () => {
    const told: NextEvent[] = [];
    const finish: (() => void)[] = [];
    const { under } = startWith(['watcher'], async (extension) => {
      await extension.register(['INVOKE', 'SHUTDOWN']);
      for (;;) {
        told.push(await extension.next());
        await new Promise<void>((resolve) => finish.push(resolve));
      }
    });
    await using _pool = under;
    expect((await under.invoke()).kind).toBe('success');
    expect(under.log.slice(0, 3).map((line) => line.split(/\t/).slice(0, 4))).toEqual([
      [expect.stringMatching(/^INIT_START/), expect.anything()],
      ['EXTENSION', 'Name: watcher', 'State: Ready', 'Events: [INVOKE, SHUTDOWN]'],
      [expect.stringMatching(/^START/)],
    ]);
    await expect.poll(() => told).toMatchObject([{ eventType: 'INVOKE', requestId: 'request-1' }]);
    expect(under.log.some((line) => line.startsWith('REPORT'))).toBe(false);
    expect(under.states()).toEqual(['finishing']);
    finish[0]?.();
    await under.logged('REPORT');
  });

  test('an extension that works too long ends with the event’s timeout; its caller had the answer', async () => {
    const { under } = startWith(['slow'], async (extension) => {
      await extension.register(['INVOKE']);
      await extension.next();
    });
    await using _pool = under;
    expect((await under.invoke()).kind).toBe('success');
    await expect.poll(() => under.states()).toEqual(['finishing']);
    under.clock.advance(3_000);
    // The runtime has its part of the shutdown's time.
    await expect.poll(() => under.guests.some(({ terminated }) => terminated)).toBe(true);
    under.clock.advance(2_000);
    await under.logged('REPORT');
    expect(under.log.at(-1)).toMatch(/\tStatus: timeout$/);
  });

  test('one that crashes while an event runs fails it, and the environment starts anew', async () => {
    const { under, extensions } = startWith(
      ['fragile'],
      async (extension) => {
        await extension.register(['INVOKE']);
        await extension.next();
        if (extensions.length === 1) extension.guest.exit(2);
        else await extension.next();
      },
      {
        onInvoke: (_guest, send, requestId) => {
          if (extensions.length > 1) send(FRAME.response, { requestId }, Buffer.from('1'));
        },
      },
    );
    await using _pool = under;
    const outcome = await under.invoke();
    expect(JSON.parse(Buffer.from(outcome.payload).toString())).toEqual({
      errorType: 'Extension.Crash',
      errorMessage: 'RequestId: request-1 Error: exit status 2',
    });
    await expect.poll(() => under.guests.some(({ terminated }) => terminated)).toBe(true);
    under.clock.advance(2_000);
    expect((await under.invoke()).kind).toBe('success');
    expect(extensions).toHaveLength(2);
    expect(under.made).toHaveLength(1);
  });

  test('one that cannot initialise fails init, and the event with it', async () => {
    const { under } = startWith(['broken'], async (extension) => {
      await extension.register([]);
      await extension.failInit();
    });
    await using _pool = under;
    const invoked = under.invoke();
    await under.logged('INIT_REPORT');
    await timePasses(under, invoked);
    const outcome = await invoked;
    expect(JSON.parse(Buffer.from(outcome.payload).toString())).toMatchObject({
      errorType: 'Extension.InitError',
    });
    expect(under.log.find((line) => line.startsWith('INIT_REPORT'))).toContain(
      'Phase: init\tStatus: error\tError Type: Extension.InitError',
    );
  });

  test('at the end the runtime is asked first, then those that want to know are told and waited for', async () => {
    const told: NextEvent[] = [];
    const { under, extensions } = startWith(['told', 'untold'], async (extension) => {
      await extension.register(extension.name === 'told' ? ['SHUTDOWN'] : []);
      told.push(await extension.next());
    });
    await using _pool = under;
    await under.invoke();
    await under.logged('REPORT');
    const runtime = under.guests.find(({ command }) => command.descriptors === 'channel');
    if (runtime !== undefined) runtime.onTerminate = () => runtime.exit(0);
    under.pool.retire(testVersion(), 'updated');
    await expect
      .poll(() => told)
      .toEqual([
        { eventType: 'SHUTDOWN', shutdownReason: 'spindown', deadlineMs: expect.any(Number) },
      ]);
    expect(runtime?.terminated).toBe(true);
    expect(under.disposed).toEqual([]);
    extensions.find(({ name }) => name === 'told')?.guest.exit(0);
    await expect.poll(() => under.disposed).toEqual(under.made);
  });

  test('one that ignores the shutdown is ended after two seconds', async () => {
    const { under } = startWith(['stubborn'], async (extension) => {
      await extension.register(['SHUTDOWN']);
      await extension.next();
    });
    await using _pool = under;
    await under.invoke();
    await under.logged('REPORT');
    under.pool.retire(testVersion(), 'updated');
    await expect.poll(() => under.guests.some(({ terminated }) => terminated)).toBe(true);
    under.clock.advance(299);
    expect(under.disposed).toEqual([]);
    under.clock.advance(1);
    await expect.poll(() => under.clock.pendingTimers).toBeGreaterThan(0);
    await expect
      .poll(
        () => {
          under.clock.advance(100);
          return under.disposed;
        },
        { interval: 1 },
      )
      .toEqual(under.made);
  });

  test('one that is internal gives the runtime half a second', async () => {
    const under = startPool(() => ({
      onInit: (guest, send) => {
        const inner = new PlayedExtension(guest, 'inner');
        void inner.register(['INVOKE']).then(() => {
          send(FRAME.ready, {});
          inner.next().catch(() => {});
        });
      },
      onInvoke: (_guest, send, requestId) => {
        send(FRAME.response, { requestId }, Buffer.from('1'));
      },
    }));
    await using _pool = under;
    await under.invoke();
    await expect.poll(() => under.states()).toEqual(['finishing']);
    under.clock.advance(3_000);
    await expect.poll(() => under.guests[0]?.terminated).toBe(true);
    await timerArmed(under);
    under.clock.advance(499);
    await new Promise(setImmediate);
    expect(under.log.some((line) => line.startsWith('REPORT'))).toBe(false);
    under.clock.advance(1);
    await under.logged('REPORT');
  });

  test('one that is lost between two events has the environment start anew, for that reason', async () => {
    const moves: EnvironmentEvent[] = [];
    const { under, extensions } = startWith(['fragile'], async (extension) => {
      await extension.register(['INVOKE']);
      for (;;) await extension.next();
    });
    await using _pool = under;
    under.events.subscribe(({ event }) => moves.push(event));
    await under.invoke();
    await under.logged('REPORT');
    extensions[0]?.guest.exit(7);
    await expect
      .poll(() => {
        under.clock.advance(100);
        return under.states();
      })
      .toEqual(['cold']);
    expect(moves).toContainEqual({ kind: 'process-lost', reason: 'extension-failure' });
    expect((await under.invoke()).kind).toBe('success');
    expect(extensions).toHaveLength(2);
  });

  test('variables that AWS keeps from extensions are kept from them', async () => {
    const { under, extensions } = startWith(['any'], async (extension) => {
      await extension.register([]);
      await extension.next();
    });
    await using _pool = under;
    await under.invoke();
    const { environment, descriptors } = extensions[0]?.guest.command ?? {};
    expect(descriptors).toBe('standard');
    expect(environment).toMatchObject({ AWS_LAMBDA_FUNCTION_NAME: 'fn', AWS_REGION: 'us-east-1' });
    expect(Object.keys(environment ?? {})).not.toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^_|^AWS_XRAY|TASK_ROOT|RUNTIME_DIR|LOG_STREAM|EXECUTION_ENV/),
      ]),
    );
  });
});
