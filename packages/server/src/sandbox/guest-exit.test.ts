import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exitOfChild, exitOfMergedStatus, exitWithCode, exitWithSignal } from './guest-exit.ts';

describe('exits', () => {
  test('signals have the names that Go prints', () => {
    const names = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 31].map(
      (signal) => exitWithSignal(signal).signal,
    );
    expect(names).toEqual([
      'hangup',
      'interrupt',
      'quit',
      'illegal instruction',
      'trace/breakpoint trap',
      'aborted',
      'bus error',
      'floating point exception',
      'killed',
      'user defined signal 1',
      'segmentation fault',
      'user defined signal 2',
      'broken pipe',
      'alarm clock',
      'terminated',
      'signal 31',
    ]);
  });

  test("a child's exit keeps its status, or the name of its signal", () => {
    expect(exitOfChild(3, null)).toEqual(exitWithCode(3));
    expect(exitOfChild(null, 'SIGBUS').signal).toBe('bus error');
    expect(exitOfChild(null, 'SIGKILL').signal).toBe('killed');
  });

  test('of a merged status exactly one of code and signal is set', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 255 }), (status) => {
        const { code, signal } = exitOfMergedStatus(status);
        const isSignal = status > 128 && status <= 192;
        expect(code).toBe(isSignal ? undefined : status);
        expect(signal === undefined).toBe(!isSignal);
      }),
    );
  });
});
