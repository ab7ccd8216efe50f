import type { Clock } from '../clock/clock.ts';
import type { FunctionVersion } from '../domain/function.ts';
import type { Invocation } from '../domain/invocation.ts';
import { EnvironmentLog } from '../logs/environment-log.ts';
import type { LogStore } from '../logs/log-store.ts';
import type { FailureStatus } from '../logs/platform-lines.ts';
import type { ExtensionInfo } from '../runtime-api/extensions/extension.ts';
import type { OutputTarget } from './guest-output.ts';
import type { RuntimeLaunch } from './runtime-launcher.ts';

/**
 * Everything that the platform says of an environment while it lives, and everything that its
 * programs print: one writer for the log stream.
 */
export class EnvironmentReport {
  readonly functionOutput: OutputTarget;
  readonly extensionOutput: OutputTarget;
  readonly #version: FunctionVersion;
  readonly #log: EnvironmentLog;
  #requestId = '';
  /** Of an init phase that succeeded, until a REPORT has told it. */
  #initDurationMs: number | undefined;

  private constructor(version: FunctionVersion, log: EnvironmentLog) {
    this.#version = version;
    this.#log = log;
    this.functionOutput = { write: (message) => this.#log.write(message) };
    this.extensionOutput = { write: (message) => this.#log.write(message) };
  }

  /** A log stream of its own in the function's log group. */
  static open(version: FunctionVersion, store: LogStore, clock: Clock): EnvironmentReport {
    return new EnvironmentReport(version, EnvironmentLog.open(version, store, clock));
  }

  get logStreamName(): string {
    return this.#log.logStreamName;
  }

  initStarted({ runtimeVersion, runtimeVersionArn }: RuntimeLaunch): void {
    this.#log.initStarted(runtimeVersion, runtimeVersionArn);
  }

  /** Init that was run ahead of an event. */
  initSucceeded(durationMs: number): void {
    this.#initDurationMs = durationMs;
  }

  initFailed(durationMs: number, phase: 'init' | 'invoke', failure: FailureStatus): void {
    this.#log.initFailed(durationMs, phase, failure);
  }

  /** What became of each extension in init. */
  extensions(extensions: readonly ExtensionInfo[]): void {
    for (const extension of extensions) this.#log.extension(extension);
  }

  /** What is said from here on belongs to this request. */
  beginRequest({ requestId }: Invocation, wantsTail: boolean): void {
    this.#requestId = requestId;
    this.#log.beginRequest(requestId, wantsTail);
  }

  eventStarted(): void {
    this.#log.eventStarted(this.#requestId, this.#version.version);
  }

  /** Writes END and REPORT. Gives the last 4 KB since `beginRequest`, where they were asked for. */
  endRequest(
    durationMs: number,
    maxMemoryUsedMb: number,
    failure: FailureStatus | undefined,
  ): Buffer | undefined {
    const initDurationMs = this.#initDurationMs;
    this.#initDurationMs = undefined;
    return this.#log.endRequest({
      requestId: this.#requestId,
      durationMs,
      billedDurationMs: Math.ceil(durationMs + (initDurationMs ?? 0)),
      memoryMb: this.#version.memoryMb,
      maxMemoryUsedMb,
      ...(initDurationMs !== undefined && { initDurationMs }),
      ...(failure !== undefined && { failure }),
    });
  }
}
