import type { Clock } from '../../clock/clock.ts';
import { within } from '../../clock/within.ts';
import type { ShutdownReason } from '../../runtime-api/extensions/extension-event.ts';
import type { ExternalExtensions } from './external-extensions.ts';
import type { Guest } from './guest.ts';
import type { GuestApis } from './guest-apis.ts';

/** What is to be shut down. */
export interface ShutdownParts {
  readonly reason: ShutdownReason;
  /** The runtime; undefined where it never started. */
  readonly guest: Guest | undefined;
  readonly processes: ExternalExtensions;
  readonly apis: GuestApis;
  readonly clock: Clock;
}

/** All that a shutdown may take where an external extension is registered. */
const EXTERNAL_BUDGET_MS = 2_000;
/** The runtime's part of it. */
const RUNTIME_PART_MS = 300;
/** Where only internal extensions are registered. */
const INTERNAL_BUDGET_MS = 500;

/**
 * AWS's shutdown: without extensions there is none, the runtime is killed. With internal ones the
 * runtime gets SIGTERM and 500 ms. With external ones it gets SIGTERM and 300 ms; then those that
 * subscribed to SHUTDOWN hear of it and have the rest of 2 s, the others are ended at once. Whatever
 * is left afterwards is the caller's to kill.
 */
export async function shutDown(parts: ShutdownParts): Promise<void> {
  const { reason, guest, processes, apis, clock } = parts;
  const registry = apis.extensions;
  const isExternal = registry.hasExternal;
  if (!isExternal && !registry.hasInternal) return;
  const startedMs = clock.monotonicMs();
  const budgetMs = isExternal ? EXTERNAL_BUDGET_MS : INTERNAL_BUDGET_MS;
  const deadlineMs = Math.floor(clock.nowMs()) + budgetMs;
  const remainingMs = (): number => Math.max(0, startedMs + budgetMs - clock.monotonicMs());
  if (guest !== undefined) {
    guest.terminate();
    await within(clock, isExternal ? RUNTIME_PART_MS : budgetMs, guest.exited);
    await guest.stop();
  }
  if (!isExternal) return;
  const told = registry.shutdown(reason, deadlineMs);
  await Promise.all([
    processes.endAllBut(new Set(told)),
    within(clock, remainingMs(), processes.exited()),
    apis.telemetry.flush(remainingMs()),
  ]);
}
