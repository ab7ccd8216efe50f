import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { extension, report, runtimeDone, start } from '../telemetry/telemetry-event.ts';
import { ExtensionApiFixture, ExtensionProgram } from './extension-api-fixture.ts';

const REQUEST_ID = '6f7f0961-f834-4211-8a7a-f6fe80b88d56';

const DEADLINE_MS = 1_700_000_005_000;

const GREETING = [
  {
    status: 200,
    registered: expect.objectContaining({
      functionName: 'f',
      functionVersion: '$LATEST',
      handler: 'index.handler',
    }) as unknown,
  },
  { status: 200, subscribed: 'OK' },
];

const INVOKED = { event: { eventType: 'INVOKE', requestId: REQUEST_ID } };

const SHUTDOWN = [
  ['my-extension'],
  expect.objectContaining({
    event: { eventType: 'SHUTDOWN', shutdownReason: 'spindown', deadlineMs: DEADLINE_MS },
  }) as unknown,
  0,
  ['Exited'],
];

interface EventRecord {
  readonly type: string;
  readonly record: unknown;
}

/** A real external extension and what it is served. */
class LivingExtension implements AsyncDisposable {
  /** What it was told when it registered and subscribed. */
  readonly greeting: readonly unknown[];
  readonly #fixture: ExtensionApiFixture;
  readonly #program: ExtensionProgram;

  private constructor(
    fixture: ExtensionApiFixture,
    program: ExtensionProgram,
    greeting: readonly unknown[],
  ) {
    this.greeting = greeting;
    this.#fixture = fixture;
    this.#program = program;
  }

  /** Settles when it is ready for its first event. */
  static async start(program: string, file: string): Promise<LivingExtension> {
    const fixture = await ExtensionApiFixture.start();
    const { registry, served, streams } = fixture;
    registry.expect(['my-extension']);
    const path = fileURLToPath(new URL(`fixtures/${file}`, import.meta.url));
    const running = new ExtensionProgram(
      program,
      [path, 'my-extension'],
      `127.0.0.1:${served.port}`,
    );
    await registry.registered();
    const greeting = [await running.says('registered'), await running.says('subscribed')];
    registry.closeRegistration();
    await registry.ready();
    for (const info of registry.list()) streams.publish(extension(info));
    return new LivingExtension(fixture, running, greeting);
  }

  /** One invocation with all that the platform says of it; gives what the extension
   * was told, once it is idle. */
  async invoke(): Promise<unknown> {
    const { registry, streams } = this.#fixture;
    registry.invoke({
      requestId: REQUEST_ID,
      deadlineMs: 1_700_000_003_000,
      invokedFunctionArn: 'arn:aws:lambda:eu-west-1:123456789012:function:f',
    });
    const event = await this.#program.says('event');
    streams.publish(start({ requestId: REQUEST_ID, version: '$LATEST' }));
    streams.publishLog('function', 'hello\nworld');
    streams.publish(runtimeDone({ requestId: REQUEST_ID, status: 'success' }));
    const metrics = {
      durationMs: 1.5,
      billedDurationMs: 2,
      memorySizeMB: 128,
      maxMemoryUsedMB: 30,
    };
    streams.publish(report({ requestId: REQUEST_ID, status: 'success', metrics }));
    await registry.idle();
    return event;
  }

  /** The events that it has received, up to the first of a type. */
  async receivedUntil(kind: 'batch' | 'line', type: string): Promise<EventRecord[]> {
    const events: EventRecord[] = [];
    while (!events.some((event) => event.type === type)) {
      const said = (await this.#program.says(kind))[kind];
      events.push(...((Array.isArray(said) ? said : [said]) as EventRecord[]));
    }
    return events;
  }

  /** The shutdown: who was told, what, how the program ended and what the registry makes of that. */
  async shutDown(deadlineMs: number): Promise<unknown[]> {
    const { registry, streams } = this.#fixture;
    await streams.flush(5_000);
    const told = registry.shutdown('spindown', deadlineMs);
    const event = await this.#program.says('event');
    const [code] = await this.#program.exited;
    registry.processEnded('my-extension', { code: Number(code), signal: undefined });
    return [told, event, code, registry.list().map(({ state }) => state)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    await this.#fixture[Symbol.asyncDispose]();
  }
}

describe('a real extension', () => {
  test('in Node.js registers, is invoked, gets its telemetry and shuts down', async () => {
    await using living = await LivingExtension.start(process.execPath, 'node-extension.ts');
    expect(living.greeting).toEqual(GREETING);
    expect(await living.invoke()).toMatchObject(INVOKED);
    const events = await living.receivedUntil('batch', 'platform.report');
    expect(events.map(({ type }) => type)).toEqual([
      'platform.telemetrySubscription',
      'platform.extension',
      'platform.start',
      'function',
      'platform.runtimeDone',
      'platform.report',
    ]);
    expect(events[3]?.record).toBe('hello\nworld');
    expect(await living.shutDown(DEADLINE_MS)).toEqual(SHUTDOWN);
  });

  test.skipIf(spawnSync('python3', ['--version']).status !== 0)(
    'in Python registers, is invoked, gets its logs over TCP and shuts down',
    async () => {
      await using living = await LivingExtension.start('python3', 'python-extension.py');
      expect(living.greeting).toEqual(GREETING);
      expect(await living.invoke()).toMatchObject(INVOKED);
      const events = await living.receivedUntil('line', 'platform.report');
      expect(events.map(({ type }) => type)).toEqual([
        'platform.logsSubscription',
        'platform.extension',
        'platform.start',
        'function',
        'platform.runtimeDone',
        'platform.end',
        'platform.report',
      ]);
      expect(events[3]?.record).toBe('hello\nworld');
      expect(await living.shutDown(DEADLINE_MS)).toEqual(SHUTDOWN);
    },
  );

  test('that crashes is a failure', async () => {
    await using fixture = await ExtensionApiFixture.start();
    const { registry, served } = fixture;
    registry.expect(['broken']);
    const args = ['-e', 'process.exit(3)'];
    await using running = new ExtensionProgram(process.execPath, args, `127.0.0.1:${served.port}`);
    const [code] = await running.exited;
    registry.processEnded('broken', { code: Number(code), signal: undefined });
    expect(await registry.failure).toEqual({
      name: 'broken',
      errorType: 'Extension.Crash',
      message: 'exit status 3',
    });
  });
});
