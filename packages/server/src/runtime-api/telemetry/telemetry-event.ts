/**
 * The events of AWS's Telemetry API in their newest schema, 2025-01-29: a builder for each, which the
 * type checker holds to the schema. Durations are milliseconds with fractions.
 *
 * (unverified): that AWS sends records of the same form to subscribers of the schemas 2022-07-01 and
 * 2022-12-13. Events of SnapStart (`platform.restore…`) do not occur here.
 */

export type TelemetryStatus = 'success' | 'failure' | 'error' | 'timeout';

/** `invoke`: the init ran again inside an event. */
export type InitPhaseName = 'init' | 'invoke';

export interface TraceContext {
  readonly spanId?: string | undefined;
  readonly type: 'X-Amzn-Trace-Id';
  readonly value: string;
}

export interface TelemetrySpan<Name extends string = string> {
  readonly name: Name;
  /** ISO 8601 with milliseconds. */
  readonly start: string;
  readonly durationMs: number;
}

export interface InitStartRecord {
  readonly initializationType: string;
  readonly phase: InitPhaseName;
  readonly functionName: string;
  readonly functionVersion: string;
  readonly instanceId?: string | undefined;
  /** In MB. */
  readonly instanceMaxMemory?: number | undefined;
  readonly runtimeVersion?: string | undefined;
  readonly runtimeVersionArn?: string | undefined;
}

export interface InitRuntimeDoneRecord {
  readonly initializationType: string;
  readonly phase: InitPhaseName;
  readonly status: TelemetryStatus;
  readonly errorType?: string | undefined;
  readonly spans?: readonly TelemetrySpan[] | undefined;
}

export interface InitReportRecord {
  readonly initializationType: string;
  readonly phase: InitPhaseName;
  readonly status: TelemetryStatus;
  readonly errorType?: string | undefined;
  readonly metrics: { readonly durationMs: number };
  readonly spans?: readonly TelemetrySpan[] | undefined;
}

export interface StartRecord {
  readonly requestId: string;
  readonly version?: string | undefined;
  readonly tracing?: TraceContext | undefined;
}

export interface RuntimeDoneRecord {
  readonly requestId: string;
  readonly status: TelemetryStatus;
  readonly errorType?: string | undefined;
  readonly metrics?:
    | { readonly durationMs: number; readonly producedBytes?: number | undefined }
    | undefined;
  readonly spans?:
    | readonly TelemetrySpan<'responseLatency' | 'responseDuration' | 'runtimeOverhead'>[]
    | undefined;
  readonly tracing?: TraceContext | undefined;
}

export interface ReportRecord {
  readonly requestId: string;
  readonly status: TelemetryStatus;
  readonly errorType?: string | undefined;
  readonly metrics: {
    readonly durationMs: number;
    readonly billedDurationMs: number;
    readonly memorySizeMB: number;
    readonly maxMemoryUsedMB: number;
    readonly initDurationMs?: number | undefined;
  };
  readonly spans?: readonly TelemetrySpan<'extensionOverhead'>[] | undefined;
  readonly tracing?: TraceContext | undefined;
}

export interface ExtensionRecord {
  readonly name: string;
  readonly state: string;
  readonly events: readonly string[];
  readonly errorType?: string | undefined;
}

export interface SubscriptionRecord {
  readonly name: string;
  readonly state: 'Subscribed';
  readonly types: readonly string[];
}

export interface LogsDroppedRecord {
  readonly reason: string;
  readonly droppedRecords: number;
  readonly droppedBytes: number;
}

/** What the platform says, without its time. */
export type PlatformEvent =
  | { readonly type: 'platform.initStart'; readonly record: InitStartRecord }
  | { readonly type: 'platform.initRuntimeDone'; readonly record: InitRuntimeDoneRecord }
  | { readonly type: 'platform.initReport'; readonly record: InitReportRecord }
  | { readonly type: 'platform.start'; readonly record: StartRecord }
  | { readonly type: 'platform.runtimeDone'; readonly record: RuntimeDoneRecord }
  | { readonly type: 'platform.report'; readonly record: ReportRecord }
  | { readonly type: 'platform.extension'; readonly record: ExtensionRecord }
  | { readonly type: 'platform.telemetrySubscription'; readonly record: SubscriptionRecord }
  | { readonly type: 'platform.logsDropped'; readonly record: LogsDroppedRecord }
  /** Of the Logs API alone: how an invocation broke, as a line of text. */
  | { readonly type: 'platform.fault'; readonly record: string };

export const initStart = (record: InitStartRecord): PlatformEvent => ({
  type: 'platform.initStart',
  record,
});

export const initRuntimeDone = (record: InitRuntimeDoneRecord): PlatformEvent => ({
  type: 'platform.initRuntimeDone',
  record,
});

export const initReport = (record: InitReportRecord): PlatformEvent => ({
  type: 'platform.initReport',
  record,
});

export const start = (record: StartRecord): PlatformEvent => ({ type: 'platform.start', record });

export const runtimeDone = (record: RuntimeDoneRecord): PlatformEvent => ({
  type: 'platform.runtimeDone',
  record,
});

export const report = (record: ReportRecord): PlatformEvent => ({
  type: 'platform.report',
  record,
});

export const extension = (record: ExtensionRecord): PlatformEvent => ({
  type: 'platform.extension',
  record,
});

export const telemetrySubscription = (name: string, types: readonly string[]): PlatformEvent => ({
  type: 'platform.telemetrySubscription',
  record: { name, state: 'Subscribed', types },
});

export const logsDropped = (record: LogsDroppedRecord): PlatformEvent => ({
  type: 'platform.logsDropped',
  record,
});

/** For subscribers of the Logs API: `RequestId: <id> Process exited before completing request` … */
export const fault = (record: string): PlatformEvent => ({ type: 'platform.fault', record });
