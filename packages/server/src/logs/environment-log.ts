import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock/clock.ts';
import type { FunctionVersion } from '../domain/function.ts';
import type { LogGroupIdentity, LogStore } from './log-store.ts';
import { LogTail } from './log-tail.ts';
import {
  endLine,
  extensionLine,
  initReportLine,
  initStartLine,
  reportLine,
  startLine,
  subscriptionLine,
  type FailureStatus,
  type ReportFigures,
} from './platform-lines.ts';

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

  private constructor(
    group: LogGroupIdentity,
    logStreamName: string,
    store: LogStore,
    clock: Clock,
  ) {
    this.#group = group;
    this.logStreamName = logStreamName;
    this.#store = store;
    this.#clock = clock;
  }

  /** A stream of its own in the function's log group. */
  static open(version: FunctionVersion, store: LogStore, clock: Clock): EnvironmentLog {
    const { accountId, region, functionName, logGroupName } = version;
    const logStreamName = logStreamNameFor(
      clock.nowMs(),
      functionName,
      version.version,
      logGroupName,
      randomBytes(16).toString('hex'),
    );
    return new EnvironmentLog({ accountId, region, logGroupName }, logStreamName, store, clock);
  }

  initStarted(runtimeVersion: string, runtimeVersionArn: string): void {
    this.write(initStartLine(runtimeVersion, runtimeVersionArn));
  }

  initFailed(durationMs: number, phase: 'init' | 'invoke', failure: FailureStatus): void {
    this.write(initReportLine(durationMs, phase, failure));
  }

  extension(extension: Parameters<typeof extensionLine>[0]): void {
    this.write(extensionLine(extension));
  }

  subscribed(...subscription: Parameters<typeof subscriptionLine>): void {
    this.write(subscriptionLine(...subscription));
  }

  /** What is written from here on belongs to this request. */
  beginRequest(requestId: string, wantsTail: boolean): void {
    this.#requestId = requestId;
    this.#tail = wantsTail ? new LogTail() : undefined;
  }

  eventStarted(requestId: string, version: string): void {
    this.write(startLine(requestId, version));
  }

  /** Writes END and REPORT. Gives the last 4 KB since `beginRequest`, where they were asked for. */
  endRequest(figures: ReportFigures): Buffer | undefined {
    this.write(endLine(figures.requestId));
    this.write(reportLine(figures));
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
