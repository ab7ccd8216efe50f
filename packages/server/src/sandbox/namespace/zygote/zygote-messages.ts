import { parseWaitStatus, type WaitStatus } from '../../../system-calls/linux-system-calls.ts';

/** What a zygote says, one JSON object a line. It is trusted, so only its mistakes are looked for. */
export type ZygoteMessage =
  | { readonly kind: 'ready'; readonly pid: number }
  | { readonly kind: 'forked'; readonly id: number; readonly pid: number }
  | { readonly kind: 'entered'; readonly id: number }
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string }
  | { readonly kind: 'ended'; readonly pid: number; readonly status: WaitStatus };

/** @throws Error for anything else */
export function parseZygoteMessage(line: string): ZygoteMessage {
  const parsed: unknown = JSON.parse(line);
  const message: Readonly<Record<string, unknown>> =
    typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
  const { ready, id, pid, entered, error, ended, status } = message;
  if (typeof ready === 'number') return { kind: 'ready', pid: ready };
  if (typeof ended === 'number' && typeof status === 'number') {
    return { kind: 'ended', pid: ended, status: parseWaitStatus(status) };
  }
  if (typeof id === 'number') {
    if (typeof pid === 'number') return { kind: 'forked', id, pid };
    if (entered === true) return { kind: 'entered', id };
    if (typeof error === 'string') return { kind: 'failed', id, reason: error };
  }
  throw new Error(`Cannot understand the zygote: ${line.slice(0, 200)}`);
}
