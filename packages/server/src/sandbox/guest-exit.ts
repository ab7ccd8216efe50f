import { constants } from 'node:os';
import type { GuestExit } from './sandbox.ts';

/** How Go's runtime names signals, and with it the messages of AWS (`signal: killed`). */
const SIGNAL_TEXTS: Readonly<Record<number, string>> = {
  1: 'hangup',
  2: 'interrupt',
  3: 'quit',
  4: 'illegal instruction',
  5: 'trace/breakpoint trap',
  6: 'aborted',
  7: 'bus error',
  8: 'floating point exception',
  9: 'killed',
  10: 'user defined signal 1',
  11: 'segmentation fault',
  12: 'user defined signal 2',
  13: 'broken pipe',
  14: 'alarm clock',
  15: 'terminated',
};

const SIGNAL_STATUS_BASE = 128;
const LAST_SIGNAL = 64;

/** Status of a program that is not there, and of one that may not be executed, as shells give it. */
export const NOT_FOUND_STATUS = 127;
export const NOT_EXECUTABLE_STATUS = 126;

/** The exit of a process that ended by itself with a status of 0 to 255. */
export function exitWithCode(code: number): GuestExit {
  return { code, signal: undefined, outOfMemory: false };
}

/** The exit of a process that a signal ended; the number is Linux's. */
export function exitWithSignal(signal: number): GuestExit {
  const text = SIGNAL_TEXTS[signal] ?? `signal ${signal}`;
  return { code: undefined, signal: text, outOfMemory: false };
}

/**
 * The exit as Node.js reports it for a child. Signal numbers differ between systems, names do not,
 * so the text follows the name.
 */
export function exitOfChild(code: number | null, signal: NodeJS.Signals | null): GuestExit {
  if (signal === null) return exitWithCode(code ?? 0);
  return exitWithSignal(LINUX_NUMBERS[signal] ?? constants.signals[signal]);
}

/**
 * The exit behind a status in which `128 + n` stands for the signal n. A program that exits with
 * such a status by itself cannot be told apart.
 */
export function exitOfMergedStatus(status: number): GuestExit {
  const signal = status - SIGNAL_STATUS_BASE;
  return signal >= 1 && signal <= LAST_SIGNAL ? exitWithSignal(signal) : exitWithCode(status);
}

const LINUX_NUMBERS: Readonly<Partial<Record<NodeJS.Signals, number>>> = {
  SIGBUS: 7,
  SIGUSR1: 10,
  SIGUSR2: 12,
};
