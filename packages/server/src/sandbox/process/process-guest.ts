import { type ChildProcess, spawn } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import type { LinuxSystemCalls } from '../../system-calls/linux-system-calls.ts';
import {
  exitOfChild,
  exitWithCode,
  NOT_EXECUTABLE_STATUS,
  NOT_FOUND_STATUS,
} from '../guest-exit.ts';
import { guestStdio, guestStreams, spawnFailure } from '../guest-streams.ts';
import { killTagged, type ProcessTag, spawnTagged } from '../process-tag.ts';
import { signalTree } from '../process-tree.ts';
import type { ProgramPeaks } from '../program-peaks.ts';
import { type GuestCommand, type GuestExit, type GuestProcess, SandboxError } from '../sandbox.ts';
import { processGroupEnded } from './process-group.ts';
import { errorCode } from '../../system-calls/error-code.ts';

/** How the processes of one sandbox are found again; undefined where the system has no such means. */
export interface TagPlan {
  readonly calls: LinuxSystemCalls;
  readonly tag: ProcessTag;
}

/** What the guests of one sandbox have in common. */
export interface GuestCompany {
  readonly peaks: ProgramPeaks;
  /** Those whose program lives. */
  readonly living: Set<StoppableGuest>;
}

/** A guest that can be made to stand still. */
export interface StoppableGuest {
  /** Its process group, and what else can be found below its program. */
  setStopped(stopped: boolean): void;
}

/** Starts a plain child process in a session of its own. */
export async function startProcessGuest(
  command: GuestCommand,
  plan: TagPlan | undefined,
  company: GuestCompany,
): Promise<GuestProcess> {
  const [program, ...parameters] = command.argv;
  const launch = (): ChildProcess =>
    spawn(program, parameters, {
      cwd: command.cwd,
      env: { ...command.environment },
      detached: true,
      stdio: guestStdio(command.descriptors),
    });
  const child = plan === undefined ? launch() : spawnTagged(plan.calls, plan.tag, launch);
  if (child.pid === undefined) return failedStart(child, command);
  return new ProcessGuest(child, child.pid, command, plan, company);
}

class ProcessGuest implements GuestProcess, StoppableGuest {
  readonly channel;
  readonly stdout;
  readonly stderr;
  readonly log;
  readonly exited: Promise<GuestExit>;
  readonly #group: number;
  readonly #plan: TagPlan | undefined;
  readonly #company: GuestCompany;
  #mainEnded = false;

  constructor(
    child: ChildProcess,
    pid: number,
    command: GuestCommand,
    plan: TagPlan | undefined,
    company: GuestCompany,
  ) {
    const streams = guestStreams(child, command.descriptors);
    this.channel = streams.channel;
    this.stdout = streams.stdout;
    this.stderr = streams.stderr;
    this.log = streams.log;
    this.#group = pid;
    this.#plan = plan;
    this.#company = company;
    company.peaks.add(pid);
    company.living.add(this);
    this.exited = this.#end(child);
  }

  terminate(): void {
    if (!this.#mainEnded) signal(this.#group, 'SIGTERM');
  }

  setStopped(stopped: boolean): void {
    const name = stopped ? 'SIGSTOP' : 'SIGCONT';
    signal(-this.#group, name);
    signalTree(this.#group, name);
  }

  async kill(): Promise<void> {
    if (!this.#mainEnded) signal(-this.#group, 'SIGKILL');
    await this.exited;
  }

  async #end(child: ChildProcess): Promise<GuestExit> {
    const exit = await new Promise<GuestExit>((resolve) => {
      child.once('exit', (code, name) => resolve(exitOfChild(code, name)));
    });
    this.#mainEnded = true;
    this.#company.peaks.remove(this.#group);
    this.#company.living.delete(this);
    if (this.#plan === undefined) await processGroupEnded(this.#group);
    else await killTagged(this.#plan.calls, this.#plan.tag);
    return exit;
  }
}

/** Of a process, or of a group where the number is negative. What is gone is no error. */
function signal(target: number, name: NodeJS.Signals): void {
  try {
    process.kill(target, name);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

/**
 * A program that is not there, or may not be executed, is the function's fault: it ends with the
 * status that a shell gives. Anything else is the platform's.
 */
async function failedStart(child: ChildProcess, command: GuestCommand): Promise<GuestProcess> {
  const error = await spawnFailure(child);
  const code = errorCode(error) ?? 'unknown error';
  const cwdIsThere = await stat(command.cwd).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  const status = { ENOENT: NOT_FOUND_STATUS, EACCES: NOT_EXECUTABLE_STATUS }[code];
  if (!cwdIsThere || status === undefined) {
    throw new SandboxError(`program ${command.argv[0]} in ${command.cwd}: ${code}`, {
      cause: error,
    });
  }
  return {
    channel: command.descriptors === 'channel' ? new PassThrough().end() : undefined,
    stdout: new PassThrough().end(),
    stderr: new PassThrough().end(`${command.argv[0]}: ${code}\n`),
    log: command.descriptors === 'channel' ? new PassThrough().end() : undefined,
    exited: Promise.resolve(exitWithCode(status)),
    terminate: () => {},
    kill: () => Promise.resolve(),
  };
}
