import type { Clock } from '../../clock/clock.ts';
import type { FunctionVersion } from '../../domain/function.ts';
import type { Invocation } from '../../domain/invocation.ts';
import { EnvironmentLog } from '../../logs/environment-log.ts';
import type { LogStore } from '../../logs/log-store.ts';
import { sampledTrace, type FailureStatus } from '../../logs/platform-lines.ts';
import type { ExtensionInfo } from '../../runtime-api/extensions/extension.ts';
import * as events from '../../runtime-api/telemetry/telemetry-event.ts';
import type {
  SubscriptionListener,
  TelemetryStreams,
} from '../../runtime-api/telemetry/telemetry-streams.ts';
import type { LifeEnd } from './guest-life.ts';
import type { OutputTarget } from '../guest/guest-output.ts';
import { failureOf } from './outcome.ts';
import type { RuntimeLaunch } from '../launch/runtime-launcher.ts';

type Phase = 'init' | 'invoke';

const INITIALIZATION_TYPE = 'on-demand';

/**
 * Everything that the platform says of an environment while it lives, and everything that its
 * programs print: to the log stream, whose one writer it is, and as events to the extensions that
 * subscribed to the Telemetry API.
 */
export class EnvironmentReport {
  readonly functionOutput: OutputTarget;
  readonly extensionOutput: OutputTarget;
  readonly #version: FunctionVersion;
  readonly #clock: Clock;
  readonly #log: EnvironmentLog;
  /** Of the life that goes on; an environment has several, one after the other. */
  #telemetry: TelemetryStreams | undefined;
  #invocation: Pick<Invocation, 'requestId' | 'traceId'> = { requestId: '' };
  #startedMs = 0;
  #runtimeDoneMs = 0;
  /** Of an init phase that succeeded, until a REPORT has told it. */
  #initDurationMs: number | undefined;

  private constructor(version: FunctionVersion, clock: Clock, log: EnvironmentLog) {
    this.#version = version;
    this.#clock = clock;
    this.#log = log;
    this.functionOutput = this.#output('function');
    this.extensionOutput = this.#output('extension');
  }

  /** A log stream of its own in the function's log group. */
  static open(version: FunctionVersion, store: LogStore, clock: Clock): EnvironmentReport {
    return new EnvironmentReport(version, clock, EnvironmentLog.open(version, store, clock));
  }

  get logStreamName(): string {
    return this.#log.logStreamName;
  }

  /** Where the events of the life that begins now are to be told. */
  direct(telemetry: TelemetryStreams): void {
    this.#telemetry = telemetry;
  }

  /** An extension has subscribed to events. */
  subscribed(...subscription: Parameters<SubscriptionListener>): void {
    this.#log.subscribed(...subscription);
  }

  initStarted(launch: RuntimeLaunch, phase: Phase): void {
    // The log has the line once for each environment, as AWS has.
    if (phase === 'init') this.#log.initStarted(launch.runtimeVersion, launch.runtimeVersionArn);
    this.#publish(() =>
      events.initStart({
        initializationType: INITIALIZATION_TYPE,
        phase,
        functionName: this.#version.functionName,
        functionVersion: this.#version.version,
        instanceId: this.logStreamName,
        instanceMaxMemory: this.#version.memoryMb,
        runtimeVersion: launch.runtimeVersion,
        runtimeVersionArn: launch.runtimeVersionArn,
      }),
    );
  }

  /** Init has ended, with `ready` or otherwise; `extensions` is what became of each of them. */
  initEnded(
    end: LifeEnd,
    durationMs: number,
    phase: Phase,
    extensions: readonly ExtensionInfo[],
  ): void {
    for (const extension of extensions) {
      this.#log.extension(extension);
      this.#publish(() => events.extension(extension));
    }
    const failure = end.kind === 'ready' ? undefined : failureOf(end);
    if (failure !== undefined) this.#log.initFailed(durationMs, phase, failure);
    else if (phase === 'init') this.#initDurationMs = durationMs;
    const result = { initializationType: INITIALIZATION_TYPE, phase, ...statusOf(failure) };
    this.#publish(() => events.initRuntimeDone(result));
    this.#publish(() => events.initReport({ ...result, metrics: { durationMs } }));
    this.#telemetry?.closeSubscriptions();
  }

  /** What is said from here on belongs to this request. */
  beginRequest(invocation: Invocation, wantsTail: boolean): void {
    this.#invocation = invocation;
    this.#log.beginRequest(invocation.requestId, wantsTail);
  }

  eventStarted(): void {
    const { requestId } = this.#invocation;
    this.#log.eventStarted(requestId, this.#version.version);
    this.#startedMs = this.#clock.monotonicMs();
    this.#publish(() =>
      events.start({ requestId, version: this.#version.version, tracing: this.#tracing() }),
    );
  }

  /**
   * The runtime has answered, or will not. `answerBegunMs`, on the monotonic scale: when the first part
   * of the answer came, where it did not come whole.
   */
  runtimeDone(end: LifeEnd, answerBegunMs: number | undefined): void {
    this.#runtimeDoneMs = this.#clock.monotonicMs();
    const telemetry = this.#telemetry;
    if (telemetry?.isInUse !== true) return;
    const event = events.runtimeDone({
      requestId: this.#invocation.requestId,
      ...runtimeStatus(end),
      metrics: {
        durationMs: this.#runtimeDoneMs - this.#startedMs,
        ...(end.kind === 'response' && { producedBytes: end.payload.length }),
      },
      ...(hasAnswered(end) && {
        spans: this.#answerSpans(answerBegunMs ?? this.#runtimeDoneMs),
      }),
      tracing: this.#tracing(),
    });
    const timeMs = this.#clock.nowMs();
    // What the function printed before its answer is in the pipes: it is read, and told, first.
    setImmediate(() => telemetry.publish(event, timeMs));
  }

  /** Writes END and REPORT. Gives the last 4 KB since `beginRequest`, where they were asked for. */
  endRequest(
    durationMs: number,
    maxMemoryUsedMb: number,
    failure: FailureStatus | undefined,
  ): Buffer | undefined {
    const initDurationMs = this.#initDurationMs;
    this.#initDurationMs = undefined;
    const { requestId, traceId } = this.#invocation;
    const isTraced = this.#version.tracingMode === 'Active' && traceId !== undefined;
    const trace = isTraced ? sampledTrace(traceId) : undefined;
    const figures = {
      requestId,
      durationMs,
      billedDurationMs: Math.ceil(durationMs + (initDurationMs ?? 0)),
      memoryMb: this.#version.memoryMb,
      maxMemoryUsedMb,
      ...(initDurationMs !== undefined && { initDurationMs }),
      ...(failure !== undefined && { failure }),
      ...(trace !== undefined && { trace }),
    };
    this.#publish(() =>
      events.report({
        requestId,
        ...statusOf(failure),
        metrics: {
          durationMs,
          billedDurationMs: figures.billedDurationMs,
          memorySizeMB: figures.memoryMb,
          maxMemoryUsedMB: maxMemoryUsedMb,
          initDurationMs,
        },
        spans: [
          {
            name: 'extensionOverhead',
            start: this.#timeOf(this.#runtimeDoneMs),
            durationMs: this.#sinceRuntimeDoneMs(),
          },
        ],
        tracing: this.#tracing(),
      }),
    );
    return this.#log.endRequest(figures);
  }

  #sinceRuntimeDoneMs(): number {
    return this.#clock.monotonicMs() - this.#runtimeDoneMs;
  }

  /** How long the answer took to begin, and how long to arrive. */
  #answerSpans(begunMs: number): events.RuntimeDoneRecord['spans'] {
    return [
      {
        name: 'responseLatency',
        start: this.#timeOf(this.#startedMs),
        durationMs: begunMs - this.#startedMs,
      },
      {
        name: 'responseDuration',
        start: this.#timeOf(begunMs),
        durationMs: this.#runtimeDoneMs - begunMs,
      },
    ];
  }

  /** ISO 8601 of a time on the monotonic scale. */
  #timeOf(monotonicMs: number): string {
    const agoMs = this.#clock.monotonicMs() - monotonicMs;
    return new Date(this.#clock.nowMs() - agoMs).toISOString();
  }

  #tracing(): events.TraceContext | undefined {
    const { traceId } = this.#invocation;
    return traceId === undefined ? undefined : { type: 'X-Amzn-Trace-Id', value: traceId };
  }

  /** Nothing is put together where nobody will hear it. */
  #publish(event: () => events.PlatformEvent): void {
    if (this.#telemetry?.isInUse === true) this.#telemetry.publish(event());
  }

  #output(source: 'function' | 'extension'): OutputTarget {
    return {
      write: (message) => {
        this.#log.write(message);
        this.#telemetry?.publishLog(source, message);
      },
    };
  }
}

function statusOf(failure: FailureStatus | undefined): {
  status: events.TelemetryStatus;
  errorType?: string;
} {
  if (failure === undefined) return { status: 'success' };
  const { status, errorType } = failure;
  return { status, ...(errorType !== undefined && { errorType }) };
}

function hasAnswered(end: LifeEnd): boolean {
  return end.kind === 'response' || end.kind === 'error';
}

/** An error that the handler threw is a failure of nobody but its invocation. */
function runtimeStatus(end: LifeEnd): { status: events.TelemetryStatus; errorType?: string } {
  if (end.kind === 'response') return { status: 'success' };
  const { status, errorType } = failureOf(end);
  if (end.kind === 'error') return { status, ...(errorType && { errorType }) };
  return { status: status === 'error' ? 'failure' : status, ...(errorType && { errorType }) };
}
