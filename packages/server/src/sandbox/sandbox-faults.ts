import { SandboxError } from './sandbox.ts';

/**
 * Does `work` unless `signal` is aborted; whatever fails becomes a SandboxError that begins with
 * what was tried: `Cannot start process in sandbox e1: …`.
 */
export async function withSandboxErrors<Result>(
  action: string,
  signal: AbortSignal | undefined,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    if (signal?.aborted === true)
      throw new SandboxError('it was aborted', { cause: signal.reason });
    return await work();
  } catch (error) {
    if (error instanceof SandboxError && error.message.startsWith('Cannot ')) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SandboxError(`Cannot ${action}: ${reason}`, { cause: error });
  }
}
