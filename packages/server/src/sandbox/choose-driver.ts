import { type EnforcementFact, nothingEnforced } from './enforcement-facts.ts';
import { openNamespaceDriver } from './namespace/namespace-driver.ts';
import type { HostOptions } from './namespace/namespace-host.ts';
import { openProcessDriver } from './process/process-driver.ts';
import { type SandboxDriver, SandboxError } from './sandbox.ts';

export type SandboxChoice = 'auto' | 'process' | 'namespace';

/** A driver that works here, and what to tell people about it. */
export interface ChosenDriver {
  readonly driver: SandboxDriver;
  /** Why it is this one, as one sentence. */
  readonly reason: string;
  /** One for each property of `driver.enforcement`, with reasons and remedies. */
  readonly facts: readonly EnforcementFact[];
}

/**
 * Opens the driver that was asked for. `auto` takes `namespace` where a sandbox really runs, which
 * is tried once, and `process` elsewhere.
 *
 * @param dataDir absolute
 * @param options of `namespace`; `process` leaves functions on the host's network
 * @throws SandboxError where `namespace` was asked for and cannot run
 */
export async function chooseSandboxDriver(
  choice: SandboxChoice,
  dataDir: string,
  options: Partial<HostOptions> = {},
): Promise<ChosenDriver> {
  if (choice === 'process') return openProcess(dataDir, 'it was asked for', undefined);
  try {
    const { driver, facts } = await openNamespaceDriver(dataDir, options);
    await tryDriver(driver);
    return { driver, facts, reason: choice === 'auto' ? 'it works here' : 'it was asked for' };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (choice === 'namespace') {
      throw new SandboxError(`Cannot use the sandbox driver namespace: ${reason}`, {
        cause: error,
      });
    }
    return openProcess(dataDir, `namespace cannot run here: ${reason}`, reason);
  }
}

async function openProcess(
  dataDir: string,
  reason: string,
  obstacle: string | undefined,
): Promise<ChosenDriver> {
  const remedy =
    obstacle === undefined ? 'start with --sandbox namespace' : `remove the obstacle: ${obstacle}`;
  return {
    driver: await openProcessDriver(dataDir),
    reason,
    facts: nothingEnforced('the driver process isolates nothing', remedy),
  };
}

/** Runs one tiny sandbox, and disposes the driver where that fails. */
async function tryDriver(driver: SandboxDriver): Promise<void> {
  try {
    // Any folder will do, as the program is the system's.
    const assignment = { task: '/usr', memoryMb: 128, ephemeralStorageMb: 1 };
    await using sandbox = await driver.create(
      { environmentId: 'probe', directories: {}, assignment },
      AbortSignal.timeout(PROBE_TIMEOUT_MS),
    );
    const process = await sandbox.start(
      {
        argv: ['/usr/bin/env', 'true'],
        environment: { PATH: '/usr/bin:/bin' },
        cwd: '/tmp',
        descriptors: 'standard',
      },
      AbortSignal.timeout(PROBE_TIMEOUT_MS),
    );
    const { code, signal } = await process.exited;
    if (code !== 0) throw new SandboxError(`a test program ended with ${signal ?? code}`);
  } catch (error) {
    await driver[Symbol.asyncDispose]();
    throw error;
  }
}

const PROBE_TIMEOUT_MS = 10_000;
