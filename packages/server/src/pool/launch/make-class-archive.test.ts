import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../clock/manual-clock.ts';
import type { Interpreter } from '../../runtimes/runtime-catalog.ts';
import { createFakeDriver, type FakeGuest } from '../../sandbox/fake/fake-driver.ts';
import type { SandboxDriver, SandboxSpec } from '../../sandbox/sandbox.ts';
import { makeClassArchive } from './make-class-archive.ts';

const JAVA: Interpreter = {
  family: 'java',
  version: '21.0.1',
  prefix: '/jdk',
  program: 'bin/java',
  origin: 'PATH',
};
const ARCHIVE = Buffer.concat([Buffer.from([0xa8, 0xab, 0x0b, 0xf0]), Buffer.alloc(100_000, 7)]);

const clock = new ManualClock();
let driver: SandboxDriver;
let guests: FakeGuest[] = [];
let made: SandboxSpec[] = [];
let disposed = 0;
/** Play the client, and the program that reads what it left. */
let playClient: (guest: FakeGuest) => void = () => {};
let playReader: (guest: FakeGuest) => void = () => {};
beforeEach(() => {
  [guests, made, disposed] = [[], [], 0];
  playClient = answersEvents;
  playReader = (guest) => {
    guest.stdout.write(ARCHIVE);
    guest.exit(0);
  };
  driver = createFakeDriver({
    onCreate: (spec) => void made.push(spec),
    onStart: (guest) => {
      guests.push(guest);
      (guests.length === 1 ? playClient : playReader)(guest);
    },
    onDispose: () => {
      disposed += 1;
    },
  });
});
afterEach(() => driver[Symbol.asyncDispose]());

/** Whatever comes of it, nothing is left. */
async function make(signal: AbortSignal = new AbortController().signal): Promise<Buffer> {
  const folders = { clientFolder: '/client', taskFolder: '/client/archives' };
  try {
    return await makeClassArchive({ driver, clock, interpreter: JAVA, ...folders, signal });
  } finally {
    expect([disposed, clock.pendingTimers]).toEqual([made.length, 0]);
  }
}

const answered: string[] = [];
/** Asks for events and answers each with itself until it is asked to end. */
function answersEvents(guest: FakeGuest): void {
  const stop = new AbortController();
  guest.onTerminate = () => {
    stop.abort();
    guest.exit(143);
  };
  const api = `http://${guest.command.environment['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation`;
  const serve = async (): Promise<void> => {
    for (;;) {
      const event = await fetch(`${api}/next`, { signal: stop.signal });
      const body = await event.text();
      answered.push(body);
      const id = event.headers.get('lambda-runtime-aws-request-id');
      await fetch(`${api}/${id}/response`, { method: 'POST', body });
    }
  };
  serve().catch(() => {});
}

describe('making an archive of classes', () => {
  test('has the client answer events and end, and reads what it left', async () => {
    expect(await make()).toEqual(ARCHIVE);
    expect(answered.length).toBeGreaterThan(2);
    const [client, reader] = guests;
    expect(client?.terminated).toBe(true);
    expect(client?.command.argv[0]).toBe('/jdk/bin/java');
    const path = /^-XX:ArchiveClassesAtExit=(.*)$/.exec(client?.command.argv[1] ?? '')?.[1];
    expect(path).toMatch(/^\/tmp\//);
    expect(reader?.command.argv.at(-1)).toBe(path);
  });

  test('shows the sandbox the client and the Java, and no code', async () => {
    await make();
    expect(made).toEqual([
      expect.objectContaining({
        directories: { runtime: '/client', language: '/jdk' },
        assignment: expect.objectContaining({ task: '/client/archives' }),
      }),
    ]);
  });

  test('fails with what a client printed that does not start', async () => {
    playClient = (guest) => {
      guest.stderr.write('Error: could not open `jvm.cfg`\n');
      guest.exit(1);
    };
    await expect(make()).rejects.toThrow('the client did not answer: Error: could not open');
    expect(guests).toHaveLength(1);
  });

  test('fails where Java has left none, or something else', async () => {
    playReader = (guest) => {
      guest.stderr.write('cat: /tmp/classes.jsa: No such file or directory\n');
      guest.exit(1);
    };
    await expect(make()).rejects.toThrow(
      'Java left no archive of classes: cat: /tmp/classes.jsa: No such file or directory',
    );
    guests = [];
    playReader = (guest) => {
      guest.stdout.write('no archive');
      guest.exit(0);
    };
    await expect(make()).rejects.toThrow('Java left no archive of classes');
  });

  test('is given up after a minute', async () => {
    playClient = () => setImmediate(() => clock.advance(60_000));
    await expect(make()).rejects.toThrow('it took more than 60 s');
  });

  test('is given up when it is aborted', async () => {
    const stop = new AbortController();
    playClient = () => stop.abort(new Error('enough'));
    await expect(make(stop.signal)).rejects.toThrow('enough');
  });
});
