import type { TelemetrySchema, TelemetryType } from './event-form.ts';

/** When a batch is sent: at the first of the three that is reached. */
export interface TelemetryBuffering {
  readonly maxItems: number;
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

/** Where batches go: a port on which a program of the sandbox itself listens, nowhere else. */
export type TelemetryDestination =
  | {
      readonly protocol: 'HTTP';
      readonly method: 'POST' | 'PUT';
      /** As the subscriber wrote them: `sandbox.localdomain:8080`. */
      readonly authority: string;
      readonly port: number;
      readonly path: string;
    }
  | { readonly protocol: 'TCP'; readonly port: number };

/** The two APIs for the same thing; an extension may use one of them. */
export type TelemetryApi = 'telemetry' | 'logs';

/** What an extension has subscribed to. */
export interface TelemetrySubscription {
  readonly api: TelemetryApi;
  readonly schema: TelemetrySchema;
  readonly types: readonly TelemetryType[];
  readonly buffering: TelemetryBuffering;
  readonly destination: TelemetryDestination;
}
