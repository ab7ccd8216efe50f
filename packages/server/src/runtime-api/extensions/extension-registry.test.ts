import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../clock/manual-clock.ts';
import type { ExtensionEvent } from './extension-event.ts';
import { EXIT_AFTER_ERROR_MS, ExtensionRegistry, MAX_EXTENSIONS } from './extension-registry.ts';

const INVOKE = {
  requestId: '6f7f0961-f834-4211-8a7a-f6fe80b88d56',
  deadlineMs: 1_700_000_003_000.7,
  invokedFunctionArn: 'arn:aws:lambda:eu-west-1:123456789012:function:f',
};

function registry(...external: string[]): ExtensionRegistry {
  const made = new ExtensionRegistry(new ManualClock());
  made.expect(external);
  return made;
}

/** What became of a promise, after everything that is under way has run. */
async function settled(promise: Promise<unknown>): Promise<unknown> {
  let outcome: unknown = 'pending';
  promise.then(
    (value) => {
      outcome = value ?? 'done';
    },
    (error: unknown) => {
      outcome = error;
    },
  );
  await new Promise((resolve) => setImmediate(resolve));
  return outcome;
}

/** Waits as a client would, into an array. */
function waiting(extensions: ExtensionRegistry, identifier: string): ExtensionEvent[] {
  const events: ExtensionEvent[] = [];
  extensions.next(identifier, (event) => events.push(event));
  return events;
}

describe('init', () => {
  test('registered settles when the last expected extension has registered', async () => {
    const extensions = registry('a', 'b');
    const registered = extensions.registered();
    extensions.register('a', ['INVOKE']);
    expect(await settled(registered)).toBe('pending');
    extensions.register('b', []);
    expect(await settled(registered)).toBe('done');
  });

  test('without extensions nothing is waited for', async () => {
    const extensions = registry();
    expect(extensions.isInUse).toBe(false);
    expect(await settled(extensions.registered())).toBe('done');
    expect(await settled(extensions.initialised)).toBe('pending');
    extensions.closeRegistration();
    expect(await settled(extensions.initialised)).toBe('done');
    expect(await settled(extensions.ready())).toBe('done');
    expect(await settled(extensions.idle())).toBe('done');
  });

  test('ready waits for internal extensions too', async () => {
    const extensions = registry('a');
    const a = extensions.register('a', []);
    const inner = extensions.register('inner', ['INVOKE']);
    expect([extensions.hasExternal, extensions.hasInternal]).toEqual([true, true]);
    extensions.closeRegistration();
    const ready = extensions.ready();
    waiting(extensions, a);
    expect(await settled(ready)).toBe('pending');
    waiting(extensions, inner);
    expect(await settled(ready)).toBe('done');
    expect(await settled(extensions.initialised)).toBe('done');
  });

  test('after registration has closed nobody can register', () => {
    const extensions = registry('a');
    extensions.closeRegistration();
    for (const name of ['a', 'inner']) {
      expect(() => extensions.register(name, [])).toThrow('Extension registration closed already');
    }
  });

  test('a name can register once', () => {
    const extensions = registry('a');
    extensions.register('a', []);
    extensions.register('inner', []);
    expect(() => extensions.register('a', [])).toThrow(
      'State transition from Registered to Registered failed for extension a. Error: State transition is not allowed',
    );
    expect(() => extensions.register('inner', [])).toThrow(
      'Extension with this name already registered',
    );
  });

  test('an internal extension cannot have SHUTDOWN, and a refused one takes no place', () => {
    const extensions = registry();
    expect(() => extensions.register('inner', ['SHUTDOWN'])).toThrow(
      'SHUTDOWN: ShutdownEventNotSupportedForInternalExtension',
    );
    expect(() => extensions.register('inner', ['abc'])).toThrow('abc: ErrorInvalidEventType');
    expect(extensions.list()).toEqual([]);
  });

  test('ten extensions can register, external and internal together', () => {
    const extensions = registry('a', 'b');
    for (let index = 2; index < MAX_EXTENSIONS; index += 1) extensions.register(`i${index}`, []);
    expect(() => extensions.register('one-more', [])).toThrow('Extension limit (10) reached');
    expect(extensions.register('a', [])).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('more than ten external extensions are a launch error', async () => {
    const extensions = registry(...Array.from({ length: 11 }, (_, index) => `e${index}`));
    expect(await extensions.failure).toEqual({
      name: 'e10',
      errorType: 'Extension.LaunchError',
      message: 'Extension limit (10) reached',
    });
    expect(extensions.list().at(-1)).toEqual({
      name: 'e10',
      state: 'LaunchError',
      events: [],
      errorType: 'TooManyExtensions',
    });
  });

  test('an unknown identifier is nobody', () => {
    const extensions = registry('a');
    const stranger = '00000000-0000-4000-8000-000000000000';
    expect(() => extensions.next(stranger, () => {})).toThrow(`Unknown extension ${stranger}`);
    expect(() => extensions.reportError('exit-error', stranger, 'E')).toThrow(
      'Unknown Lambda-Extension-Identifier',
    );
    expect(extensions.nameOf(stranger)).toBeUndefined();
  });
});

describe('events', () => {
  test('INVOKE reaches its subscribers alone, and idle waits until they ask again', async () => {
    const extensions = registry('a', 'b');
    const a = extensions.register('a', ['INVOKE', 'SHUTDOWN']);
    const b = extensions.register('b', ['SHUTDOWN']);
    const inner = extensions.register('inner', ['INVOKE']);
    const [ofA, ofB, ofInner] = [a, b, inner].map((id) => waiting(extensions, id));
    extensions.invoke({ ...INVOKE, traceId: 'Root=1-2' });
    const event = {
      eventType: 'INVOKE',
      deadlineMs: 1_700_000_003_000,
      requestId: INVOKE.requestId,
      invokedFunctionArn: INVOKE.invokedFunctionArn,
      tracing: { type: 'X-Amzn-Trace-Id', value: 'Root=1-2' },
    };
    expect([ofA, ofB, ofInner]).toEqual([[event], [], [event]]);
    const idle = extensions.idle();
    waiting(extensions, a);
    expect(await settled(idle)).toBe('pending');
    waiting(extensions, inner);
    expect(await settled(idle)).toBe('done');
  });

  test('an invocation that is not traced carries no tracing', () => {
    const extensions = registry('a');
    const events = waiting(extensions, extensions.register('a', ['INVOKE']));
    extensions.invoke(INVOKE);
    expect(events[0]).not.toHaveProperty('tracing');
  });

  test('two at a time may not wait, and neither gets the event of the other', () => {
    const extensions = registry('a');
    const a = extensions.register('a', ['INVOKE']);
    const first = waiting(extensions, a);
    expect(() => waiting(extensions, a)).toThrow('State transition from Ready to Ready failed');
    extensions.invoke(INVOKE);
    expect(first).toHaveLength(1);
  });

  test('who lost the connection while it waited gets the event when it asks again', async () => {
    const extensions = registry('a');
    const a = extensions.register('a', ['INVOKE']);
    const lost: ExtensionEvent[] = [];
    const leave = extensions.next(a, (event) => lost.push(event));
    leave();
    extensions.invoke(INVOKE);
    const idle = extensions.idle();
    const found = waiting(extensions, a);
    expect([lost.length, found.length]).toEqual([0, 1]);
    expect(await settled(idle)).toBe('pending');
    waiting(extensions, a);
    expect(await settled(idle)).toBe('done');
  });

  test('an invoke while an extension still works is a fault of the caller', () => {
    const extensions = registry('a');
    waiting(extensions, extensions.register('a', ['INVOKE']));
    extensions.invoke(INVOKE);
    expect(() => extensions.invoke(INVOKE)).toThrow(
      'Cannot invoke as extension a must be idle: it is running',
    );
  });
});

describe('failure', () => {
  test.each([
    [{ code: 0, signal: undefined }, 'exit code 0'],
    [{ code: 3, signal: undefined }, 'exit status 3'],
    [{ code: undefined, signal: 'killed' }, 'signal: killed'],
  ])('an extension that ends with %j has crashed', async (exit, message) => {
    const extensions = registry('a');
    const ready = extensions.ready();
    extensions.register('a', ['INVOKE']);
    extensions.processEnded('a', exit);
    expect(await extensions.failure).toEqual({ name: 'a', errorType: 'Extension.Crash', message });
    expect(extensions.list()).toEqual([{ name: 'a', state: 'Registered', events: ['INVOKE'] }]);
    expect(await settled(ready)).toBe('pending');
  });

  test('a reported error becomes a failure when the process has exited', async () => {
    const extensions = registry('a');
    extensions.reportError('init-error', extensions.register('a', []), 'Fatal.ConnectFailed');
    expect(await settled(extensions.failure)).toBe('pending');
    extensions.processEnded('a', { code: 1, signal: undefined });
    expect(await extensions.failure).toEqual({
      name: 'a',
      errorType: 'Extension.InitError',
      message: 'exit status 1',
      reportedErrorType: 'Fatal.ConnectFailed',
    });
    expect(extensions.list()).toEqual([
      { name: 'a', state: 'InitError', events: [], errorType: 'Fatal.ConnectFailed' },
    ]);
  });

  test('an extension that reports an error and stays is a failure after a grace', async () => {
    const clock = new ManualClock();
    const extensions = new ExtensionRegistry(clock);
    extensions.expect(['a']);
    const a = extensions.register('a', []);
    waiting(extensions, a);
    extensions.reportError('exit-error', a, 'Fatal.A');
    extensions.reportError('exit-error', a, 'Fatal.B');
    clock.advance(EXIT_AFTER_ERROR_MS);
    expect(await extensions.failure).toMatchObject({
      errorType: 'Extension.ExitError',
      reportedErrorType: 'Fatal.A',
    });
    expect(() => extensions.next(a, () => {})).toThrow('from ExitError to Ready');
    expect(clock.pendingTimers).toBe(0);
  });

  test('an internal extension has no process of its own and fails at once', async () => {
    const extensions = registry();
    extensions.reportError('init-error', extensions.register('inner', []), 'Fatal.A');
    expect(await extensions.failure).toMatchObject({ errorType: 'Extension.InitError' });
  });

  test.each([
    [126, 'PermissionDenied', 'permission denied'],
    [127, 'UnknownError', 'no such file or directory'],
  ])('a program that could not be executed (%i) is a launch error', async (code, type, reason) => {
    const extensions = registry('a');
    extensions.processEnded('a', { code, signal: undefined });
    expect(await extensions.failure).toEqual({
      name: 'a',
      errorType: 'Extension.LaunchError',
      message: `fork/exec /opt/extensions/a: ${reason}`,
    });
    expect(extensions.list()).toMatchObject([{ state: 'LaunchError', errorType: type }]);
  });

  test('the first failure counts', async () => {
    const extensions = registry('a', 'b');
    extensions.processEnded('b', { code: 1, signal: undefined });
    extensions.processEnded('a', { code: 2, signal: undefined });
    expect(await extensions.failure).toMatchObject({ name: 'b' });
  });
});

describe('shutdown', () => {
  test('SHUTDOWN reaches who subscribed: who waits at once, who works when it asks', () => {
    const extensions = registry('waits', 'works', 'deaf');
    const [waits, works, deaf] = [
      extensions.register('waits', ['SHUTDOWN']),
      extensions.register('works', ['INVOKE', 'SHUTDOWN']),
      extensions.register('deaf', ['INVOKE']),
    ];
    const ofWaits = waiting(extensions, waits);
    waiting(extensions, works);
    waiting(extensions, deaf);
    extensions.invoke(INVOKE);
    expect(extensions.shutdown('timeout', 1_700_000_005_000)).toEqual(['waits', 'works']);
    const event = {
      eventType: 'SHUTDOWN',
      deadlineMs: 1_700_000_005_000,
      shutdownReason: 'timeout',
    };
    expect(ofWaits).toEqual([event]);
    expect(waiting(extensions, works)).toEqual([event]);
  });

  test('an exit after SHUTDOWN is no failure, and the status says how it went', async () => {
    const extensions = registry('good', 'bad');
    for (const name of ['good', 'bad']) {
      waiting(extensions, extensions.register(name, ['SHUTDOWN']));
    }
    extensions.shutdown('spindown', 0);
    extensions.processEnded('good', { code: 0, signal: undefined });
    extensions.processEnded('bad', { code: undefined, signal: 'killed' });
    expect(await settled(extensions.failure)).toBe('pending');
    expect(extensions.list().map(({ state }) => state)).toEqual(['Exited', 'ShutdownFailed']);
  });

  test('after dispose waits reject, identifiers are void and nobody can register', async () => {
    const extensions = registry('a');
    const registered = extensions.registered();
    const inner = extensions.register('inner', []);
    extensions[Symbol.dispose]();
    await expect(registered).rejects.toThrow('The extensions of the environment are gone');
    expect(extensions.nameOf(inner)).toBeUndefined();
    expect(() => extensions.register('b', [])).toThrow('Extension registration closed already');
  });
});

/** One extension as its own program sees it, and what it should have been told. */
class Client {
  readonly name: string;
  readonly received: string[] = [];
  readonly expected: string[] = [];
  readonly #extensions: ExtensionRegistry;
  readonly #identifier: string;
  #leave = (): void => {};

  constructor(extensions: ExtensionRegistry, name: string) {
    this.name = name;
    this.#extensions = extensions;
    this.#identifier = extensions.register(name, ['INVOKE']);
  }

  get state(): string | undefined {
    return this.#extensions.list().find(({ name }) => name === this.name)?.state;
  }

  next(): void {
    this.#leave = this.#extensions.next(this.#identifier, (event) => {
      if (event.eventType === 'INVOKE') this.received.push(event.requestId);
    });
  }

  leave(): void {
    this.#leave();
  }

  report(): void {
    this.#extensions.reportError('exit-error', this.#identifier, 'E');
  }
}

test('whatever extensions ask for, no event is lost, doubled or given to another', () => {
  const steps = fc.array(
    fc.record({
      who: fc.nat(2),
      what: fc.constantFrom('next', 'next', 'leave', 'invoke', 'invoke', 'report'),
    }),
    { maxLength: 80 },
  );
  fc.assert(
    fc.property(steps, (taken) => {
      const extensions = registry('a', 'b');
      const clients = ['a', 'b', 'inner'].map((name) => new Client(extensions, name));
      let invocations = 0;
      const invoke = (): void => {
        const ready = clients.filter(({ state }) => state === 'Ready');
        extensions.invoke({ ...INVOKE, requestId: `r${invocations}` });
        for (const { expected } of ready) expected.push(`r${invocations}`);
        invocations += 1;
      };
      for (const { who, what } of taken)
        attempt(() => (what === 'invoke' ? invoke() : clients[who]?.[what]()));
      for (const client of clients) {
        if (client.state === 'ExitError') continue;
        // Whoever has not fetched an event yet gets it when it asks again.
        attempt(() => client.next());
        expect(client.received).toEqual(client.expected);
      }
      extensions[Symbol.dispose]();
    }),
  );
});

/** What the registry refuses is no fault here. */
function attempt(step: () => void): void {
  try {
    step();
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
  }
}
