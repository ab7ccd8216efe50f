import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import {
  ContractBench,
  outcomeOf,
  type ProgramOutcome,
  type SandboxChange,
} from '../contract-bench.ts';
import type { EnforcementFact } from '../enforcement-facts.ts';
import { openNamespaceDriver } from '../namespace/namespace-driver.ts';
import { forkingObstacle, openForkingDriver } from '../namespace/zygote/forking-driver-fixture.ts';
import type { GuestCommand, Sandbox, SandboxEnforcement } from '../sandbox.ts';

const SOURCE = join(import.meta.dirname, 'fixtures', 'probe.c');
const NEVER = new AbortController().signal;
const COMPILE_LIMIT_MS = 60_000;

/** Executed by bubblewrap, or forked from a zygote. */
export type GuestStart = 'executed' | 'forked';

/** Sandboxes of this machine with a hostile program in them. */
export class HostileBench implements AsyncDisposable {
  readonly bench: ContractBench;
  readonly facts: readonly EnforcementFact[];
  /** Why there is no hostile program; undefined where there is one. */
  readonly noProbe: string | undefined;

  private constructor(bench: ContractBench, facts: readonly EnforcementFact[]) {
    this.bench = bench;
    this.facts = facts;
    this.noProbe = compile(join(bench.task, 'probe'));
    // Nobody's permissions keep a function from writing there: what does must be the mount.
    const open = join(bench.task, 'open');
    mkdirSync(open);
    for (const folder of [open, bench.task, bench.directories.runtime]) chmodSync(folder, 0o777);
  }

  /**
   * Resolves to the reason where there are no sandboxes here.
   *
   * @param start how guests come into their sandboxes
   */
  static async open(start: GuestStart): Promise<HostileBench | string> {
    const obstacle = start === 'forked' ? forkingObstacle() : undefined;
    if (obstacle !== undefined) return obstacle;
    const openDriver = start === 'forked' ? openForkingDriver : openNamespaceDriver;
    let facts: readonly EnforcementFact[] = [];
    try {
      const bench = await ContractBench.open(async (dataDir) => {
        const opened = await openDriver(dataDir);
        facts = opened.facts;
        return opened.driver;
      });
      return new HostileBench(bench, facts);
    } catch (error) {
      return String(error);
    }
  }

  create(change: SandboxChange = {}): Promise<Sandbox> {
    return this.bench.create(change);
  }

  /** Skips the test, with the reason, on a machine that does not enforce this. */
  requires(context: TestContext, ...properties: (keyof SandboxEnforcement)[]): void {
    for (const property of properties) {
      const fact = this.facts.find((candidate) => candidate.property === property);
      if (fact?.enforced === true) continue;
      context.skip(`${property} is not enforced here: ${fact?.reason}`);
    }
  }

  /** Skips the test where there is no compiler. */
  requiresProbe(context: TestContext): void {
    context.skip(this.noProbe !== undefined, this.noProbe);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bench[Symbol.asyncDispose]();
  }
}

/** Runs a program to its end, without a channel. */
export async function run(
  sandbox: Sandbox,
  argv: GuestCommand['argv'],
  change: Partial<GuestCommand> = {},
): Promise<ProgramOutcome> {
  const environment = { PATH: '/usr/bin:/bin' };
  const command = { argv, environment, cwd: '/tmp', descriptors: 'standard' as const, ...change };
  return outcomeOf(await sandbox.start(command, NEVER));
}

/** What the hostile program came to: `ok` or the name of the error, by what it tried. */
export async function attempt(
  sandbox: Sandbox,
  ...names: readonly string[]
): Promise<Record<string, string>> {
  const { stdout, stderr, exit } = await run(sandbox, ['/var/task/probe', ...names]);
  if (exit.code !== 0) throw new Error(`the probe ended with ${JSON.stringify(exit)}: ${stderr}`);
  const lines = stdout.trim().split('\n');
  return Object.fromEntries(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), line.slice(space + 1)];
    }),
  );
}

/** The same outcome for each name. */
export function each(names: readonly string[], outcome: string): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, outcome]));
}

function compile(target: string): string | undefined {
  try {
    execFileSync('cc', ['-O1', '-o', target, SOURCE], {
      stdio: 'pipe',
      timeout: COMPILE_LIMIT_MS,
    });
    return undefined;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return 'needs a C compiler, cc';
    throw error;
  }
}
