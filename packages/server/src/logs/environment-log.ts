import type { Clock } from '../clock/clock.ts';
import type { LogGroupIdentity, LogStore } from './log-store.ts';
import { LogTail } from './log-tail.ts';

/**
 * The one writer of an environment's log stream: what the platform says and what the function
 * prints. Lines written while an invocation is under way carry its request id.
 */
export class EnvironmentLog {
  readonly logStreamName: string;
  readonly #group: LogGroupIdentity;
  readonly #store: LogStore;
  readonly #clock: Clock;
  #requestId: string | undefined;
  #tail: LogTail | undefined;

  constructor(group: LogGroupIdentity, logStreamName: string, store: LogStore, clock: Clock) {
    this.#group = group;
    this.logStreamName = logStreamName;
    this.#store = store;
    this.#clock = clock;
  }

  /** What is written from here on belongs to this request. */
  beginRequest(requestId: string, wantsTail: boolean): void {
    this.#requestId = requestId;
    this.#tail = wantsTail ? new LogTail() : undefined;
  }

  /** The last 4 KB since `beginRequest`; undefined where they were not asked for. */
  endRequest(): Buffer | undefined {
    const tail = this.#tail?.toBuffer();
    this.#requestId = undefined;
    this.#tail = undefined;
    return tail;
  }

  /** Appends one event at the server's own time: what a guest says of the time is not trusted. */
  write(message: string): void {
    this.#tail?.append(message);
    this.#store.append(this.#group, this.logStreamName, {
      timestampMs: this.#clock.nowMs(),
      message,
      ...(this.#requestId !== undefined && { requestId: this.#requestId }),
    });
  }
}

/**
 * `2026/11/24/[$LATEST]<32 hex>` in the function's default group; in a custom group, which several
 * functions may share, `2026/11/24/<function>[$LATEST][<32 hex>]`.
 */
export function logStreamNameFor(
  nowMs: number,
  functionName: string,
  version: string,
  logGroupName: string,
  randomHex: string,
): string {
  const day = new Date(nowMs).toISOString().slice(0, 10).replaceAll('-', '/');
  return logGroupName === defaultLogGroupName(functionName)
    ? `${day}/[${version}]${randomHex}`
    : `${day}/${functionName}[${version}][${randomHex}]`;
}

export function defaultLogGroupName(functionName: string): string {
  return `/aws/lambda/${functionName}`;
}
