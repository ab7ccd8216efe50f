import { closeSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import koffi from 'koffi';
import { describe, expect, test, vi } from 'vitest';
import { type CredentialCalls, loadCredentialCalls } from '../../system-calls/credential-calls.ts';
import { loadProcessCalls } from './spawned-process.ts';
import { UserScope } from './user-scope.ts';

const USER = { uid: 1_700_000_001, gid: 1_700_000_002 };
const PR_GET_DUMPABLE = 3;
/** What the kernel says of a thread's rights, and what a change of users takes away. */
const RIGHTS = /^(Uid|Gid|Groups|Cap\w+|NoNewPrivs):.*$/gm;

describe('the user of an environment', () => {
  test('is all that a program has which is started as it, and the server stays root', async ({
    skip,
  }) => {
    skip(process.getuid?.() !== 0, 'needs root');
    const { spawns, descriptors } = await loadProcessCalls();
    const scope = new UserScope(await loadCredentialCalls(), USER);
    const before = rightsOfThread();
    const { ours, theirs } = descriptors.createSocketPair();
    const request = {
      program: '/bin/cat',
      parameters: ['/proc/self/status'],
      descriptors: [theirs, theirs, theirs],
    };
    const pid = scope.spawnInside(() => spawns.spawn(request));
    closeSync(theirs);
    const status = await text(new Socket({ fd: ours }));
    spawns.reap(pid);
    expect(valuesOf(status, 'Uid')).toEqual(Array.from({ length: 4 }, () => String(USER.uid)));
    expect(valuesOf(status, 'Gid')).toEqual(Array.from({ length: 4 }, () => String(USER.gid)));
    expect(valuesOf(status, 'Groups')).toEqual([]);
    for (const set of ['CapPrm', 'CapEff', 'CapAmb']) {
      expect(valuesOf(status, set)).toEqual(['0000000000000000']);
    }
    expect(rightsOfThread()).toEqual(before);
  });

  test('cannot come back once it executes a program', async ({ skip }) => {
    skip(process.getuid?.() !== 0, 'needs root');
    const { spawns } = await loadProcessCalls();
    const scope = new UserScope(await loadCredentialCalls(), USER);
    const script = 'import os; os.setresuid(0, 0, 0)';
    const request = { program: '/usr/bin/python3', parameters: ['-c', script], descriptors: [] };
    const pid = scope.spawnInside(() => spawns.spawn(request));
    expect(spawns.reap(pid)).toEqual({ code: 1, signal: undefined });
  });

  test('is left where a start fails, and where it cannot be entered', async ({ skip }) => {
    skip(process.getuid?.() !== 0, 'needs root');
    const credentials = await loadCredentialCalls();
    const before = rightsOfThread();
    expect(() => new UserScope(credentials, USER).spawnInside(failing)).toThrow('no process');
    const halfway: CredentialCalls = {
      become: (user) => {
        credentials.become(user);
        failing();
      },
      restore: () => credentials.restore(),
    };
    expect(() => new UserScope(halfway, USER).spawnInside(() => 0)).toThrow('no process');
    expect(rightsOfThread()).toEqual(before);
  });

  test('lets nobody of that user look into the server, which can be looked into again later', async ({
    skip,
  }) => {
    skip(process.getuid?.() !== 0, 'needs root');
    const prctl = koffi.load(null).func('int prctl(int option, unsigned long value)');
    const isDumpable = (): boolean => prctl(PR_GET_DUMPABLE, 0) === 1;
    const before = isDumpable();
    const scope = new UserScope(await loadCredentialCalls(), USER);
    expect(scope.spawnInside(isDumpable)).toBe(false);
    expect(isDumpable()).toBe(before);
    expect(before).toBe(true);
  });

  test('that cannot be left ends the server', () => {
    const calls: CredentialCalls = {
      become: () => {},
      restore: () => {
        throw new Error('refused');
      },
    };
    const abort = vi.spyOn(process, 'abort').mockImplementation(() => {
      throw new Error('aborted');
    });
    expect(() => new UserScope(calls, USER).spawnInside(() => 0)).toThrow('aborted');
    expect(abort).toHaveBeenCalledOnce();
    vi.restoreAllMocks();
  });
});

function failing(): never {
  throw new Error('no process');
}

function rightsOfThread(): string[] {
  return readFileSync('/proc/thread-self/status', 'latin1').match(RIGHTS) ?? [];
}

function valuesOf(status: string, name: string): string[] {
  const values = new RegExp(`^${name}:(.*)$`, 'm').exec(status)?.[1] ?? 'missing';
  return values.trim().split(/\s+/).filter(Boolean);
}
