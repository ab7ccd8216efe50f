import { describe, expect, test } from 'vitest';
import { NEVER } from './contract-bench.ts';
import { createFakeDriver, type FakeGuest } from './fake/fake-driver.ts';
import { type GuestCommand, SandboxError, type SandboxSpec } from './sandbox.ts';

const SPEC: SandboxSpec = {
  environmentId: 'e1',
  directories: { runtime: '/r', language: '/l' },
  assignment: { task: '/t', memoryMb: 128, ephemeralStorageMb: 512 },
};
const COMMAND: GuestCommand = {
  argv: ['/bin/x'],
  environment: {},
  cwd: '/',
  descriptors: 'channel',
};

describe('the guard of drivers', () => {
  test('a guest that is played talks over the ends that the server does not have', async () => {
    const guests: FakeGuest[] = [];
    await using driver = createFakeDriver({ onStart: (guest) => void guests.push(guest) });
    await using sandbox = await driver.create(SPEC, NEVER);
    const process = await sandbox.start(COMMAND, NEVER);
    const received = new Promise((resolve) => {
      process.channel?.once('data', (data) => resolve(String(data)));
    });
    guests[0]?.channel.write('hello');
    expect(await received).toBe('hello');
    sandbox.limitCpu(true);
    expect(guests[0]?.sandbox.cpuLimited).toBe(true);
    guests[0]?.exit(7);
    expect(await process.exited).toEqual({ code: 7, signal: undefined, outOfMemory: false });
  });

  test('faults of a driver become SandboxErrors that say what was done', async () => {
    const fault = new Error('no space');
    const driver = createFakeDriver({
      onStart: () => Promise.reject(fault),
      onDispose: () => Promise.reject(fault),
    });
    const sandbox = await driver.create(SPEC, NEVER);
    const started = sandbox.start(COMMAND, NEVER);
    await expect(started).rejects.toThrow('Cannot start process in sandbox e1: no space');
    await expect(started).rejects.toMatchObject({ name: 'SandboxError', cause: fault });
    const disposed = sandbox[Symbol.asyncDispose]();
    expect(sandbox[Symbol.asyncDispose]()).toBe(disposed);
    await expect(disposed).rejects.toThrow('Cannot dispose sandbox e1: no space');
    await driver[Symbol.asyncDispose]();
  });

  test('after a start that failed another one is allowed', async () => {
    let faults = 1;
    await using driver = createFakeDriver({
      onStart: () => {
        faults -= 1;
        if (faults >= 0) throw new Error('busy');
      },
    });
    await using sandbox = await driver.create(SPEC, NEVER);
    await expect(sandbox.start(COMMAND, NEVER)).rejects.toThrow('busy');
    await expect(sandbox.start(COMMAND, NEVER)).resolves.toBeDefined();
  });

  test('disposing the driver aborts what is being created', async () => {
    const created = Promise.withResolvers<void>();
    const driver = createFakeDriver({
      onStart: () => {},
      onCreate: (_, signal) => {
        created.resolve();
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('stopped')));
        });
      },
    });
    const pending = driver.create(SPEC, NEVER).catch((error: unknown) => error);
    await created.promise;
    await driver[Symbol.asyncDispose]();
    expect(await pending).toBeInstanceOf(SandboxError);
    await expect(driver.create(SPEC, NEVER)).rejects.toThrow('has been disposed');
  });

  test.each([
    ['memoryMb', 0],
    ['memoryMb', 1.5],
    ['ephemeralStorageMb', Number.NaN],
  ])('%s %s is refused', async (name, value) => {
    await using driver = createFakeDriver({ onStart: () => {} });
    const assignment = { task: '/t', memoryMb: 128, ephemeralStorageMb: 512, [name]: value };
    await expect(driver.create({ ...SPEC, assignment }, NEVER)).rejects.toThrow(
      `${name} must be a whole number >= 1: received ${value}`,
    );
  });
});
