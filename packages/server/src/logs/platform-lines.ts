/** What the platform itself writes to a function's log, in the text format of AWS Lambda. */

/** `undefined` where all went well. */
export interface FailureStatus {
  readonly status: 'timeout' | 'error';
  /** Only printed with `error`. */
  readonly errorType?: string;
}

export interface ReportFigures {
  readonly requestId: string;
  readonly durationMs: number;
  readonly billedDurationMs: number;
  readonly memoryMb: number;
  readonly maxMemoryUsedMb: number;
  /** Only for the first invoke after an init phase that succeeded. */
  readonly initDurationMs?: number;
  readonly failure?: FailureStatus;
  /** Where the function's tracing is on and the invocation was sampled. */
  readonly trace?: SampledTrace;
}

/** Of an `X-Amzn-Trace-Id` header. */
export interface SampledTrace {
  readonly root: string;
  readonly segmentId: string;
}

/** What a trace header says where it was sampled; undefined otherwise. */
export function sampledTrace(traceHeader: string): SampledTrace | undefined {
  const [, root, segmentId] =
    /^Root=(1-[0-9a-f]{8}-[0-9a-f]{24});Parent=([0-9a-f]{16});Sampled=1(?:;|$)/.exec(traceHeader) ??
    [];
  return root === undefined || segmentId === undefined ? undefined : { root, segmentId };
}

export function initStartLine(runtimeVersion: string, runtimeVersionArn: string): string {
  return `INIT_START Runtime Version: ${runtimeVersion}\tRuntime Version ARN: ${runtimeVersionArn}`;
}

export function startLine(requestId: string, version: string): string {
  return `START RequestId: ${requestId} Version: ${version}`;
}

export function endLine(requestId: string): string {
  return `END RequestId: ${requestId}`;
}

/**
 * Fields are separated by tabs, and a tab ends the line unless it ends with a status, as recorded on
 * AWS. The trace is a second line of the same event.
 */
export function reportLine(figures: ReportFigures): string {
  let line =
    `REPORT RequestId: ${figures.requestId}\tDuration: ${milliseconds(figures.durationMs)}\t` +
    `Billed Duration: ${figures.billedDurationMs} ms\tMemory Size: ${figures.memoryMb} MB\t` +
    `Max Memory Used: ${figures.maxMemoryUsedMb} MB\t`;
  if (figures.initDurationMs !== undefined) {
    line += `Init Duration: ${milliseconds(figures.initDurationMs)}\t`;
  }
  if (figures.failure !== undefined) line += statusFields(figures.failure);
  if (figures.trace !== undefined) {
    const { root, segmentId } = figures.trace;
    line += `\nXRAY TraceId: ${root}\tSegmentId: ${segmentId}\tSampled: true\t`;
  }
  return line;
}

/** Written for an init that failed; `phase` says whether it ran ahead of the invoke or inside it. */
export function initReportLine(
  durationMs: number,
  phase: 'init' | 'invoke',
  failure: FailureStatus,
): string {
  return `INIT_REPORT Init Duration: ${milliseconds(durationMs)}\tPhase: ${phase}\t${statusFields(failure)}`;
}

/** State is AWS's name of it: `Ready` where all went well, others are (unverified). */
export function extensionLine(extension: {
  readonly name: string;
  readonly state: string;
  readonly events: readonly string[];
  readonly errorType?: string;
}): string {
  const { name, state, events, errorType } = extension;
  const error = errorType === undefined ? '' : `\tError Type: ${errorType}`;
  return `EXTENSION\tName: ${name}\tState: ${state}\tEvents: [${events.join(', ')}]${error}`;
}

/** The types begin with capitals here; `LOGS` is (unverified). */
export function subscriptionLine(
  api: 'telemetry' | 'logs',
  name: string,
  types: readonly string[],
): string {
  const shown = types.map((type) => type.charAt(0).toUpperCase() + type.slice(1));
  return `${api.toUpperCase()}\tName: ${name}\tState: Subscribed\tTypes: [${shown.join(', ')}]`;
}

function statusFields(failure: FailureStatus): string {
  const errorType = failure.status === 'error' ? `\tError Type: ${failure.errorType}` : '';
  return `Status: ${failure.status}${errorType}`;
}

function milliseconds(value: number): string {
  return `${value.toFixed(2)} ms`;
}
