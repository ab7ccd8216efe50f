import { spawn } from 'node:child_process';
import { constants } from 'node:os';

import { shareLock } from './lock.mjs';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];

let received;

/** Exit code for the signal that asked this process to end, once one came while a child ran. */
export function interruption() {
  return received === undefined ? undefined : 128 + constants.signals[received];
}

/**
 * Runs a program and passes on the signals that this process gets, so that nobody has to know how
 * many processes a command is made of. Resolves to its exit code, 128 + n where signal n ended it.
 */
export async function runChild(program, args, options = {}) {
  return await exitCodeOf(spawn(program, args, { stdio: 'inherit', ...options }));
}

/** Like {@link runChild}, with all that the program prints, in the order of arrival. */
export async function captureChild(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  shareLock(child.pid);
  const chunks = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  child.stderr.on('data', (chunk) => chunks.push(chunk));
  const exitCode = await exitCodeOf(child);
  return { exitCode, output: Buffer.concat(chunks).toString('utf8') };
}

async function exitCodeOf(child) {
  const forward = (signal) => {
    received ??= signal;
    // A terminal has sent Ctrl-C to the child already: both are in its foreground group.
    if (signal === 'SIGINT' && (process.stdin.isTTY || process.stderr.isTTY)) return;
    child.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
    });
  } finally {
    for (const signal of FORWARDED) process.off(signal, forward);
  }
}
