/** Takes in the code that a runtime has compiled, in pieces; bounded by itself. */
export interface CodeCacheSink {
  add(chunk: Uint8Array): void;
  /** All has been sent. */
  end(): void;
}

/** The function's compiled code, for runtimes that know what to do with it. */
export interface CodeCacheTerms {
  /** Where an earlier environment's is, in guest paths. */
  readonly folder?: string;
  /** Gets this one's, once; absent where it is not wanted. */
  readonly sink?: CodeCacheSink;
}

/** What a runtime is told once, before it loads the function. */
export interface RuntimeInit {
  readonly handler: string;
  readonly taskRoot: string;
  /** Where the layers are, `/opt`; it may be empty. */
  readonly optRoot: string;
  readonly runtime: string;
  /** The whole environment of the function. */
  readonly environment: Readonly<Record<string, string>>;
  readonly functionName: string;
  readonly functionVersion: string;
  /** A string, as the context object of Node.js and Python shows it. */
  readonly memoryLimitInMB: string;
  readonly logGroupName: string;
  readonly logStreamName: string;
  /** Lines for the log before init starts, such as an interpreter that is not the one asked for. */
  readonly warnings: readonly string[];
  readonly codeCache?: CodeCacheTerms;
}

/** One event as a runtime gets it. */
export interface RuntimeEvent {
  readonly requestId: string;
  /** Milliseconds since the epoch. */
  readonly deadlineMs: number;
  readonly invokedFunctionArn: string;
  readonly traceId?: string;
  /** JSON text. */
  readonly clientContext?: string;
  /** JSON text. */
  readonly cognitoIdentity?: string;
  readonly tenantId?: string;
  readonly payload: Uint8Array;
}

/** What a runtime answers to init or to an event. */
export type RuntimeResult =
  | {
      readonly kind: 'ready';
      /** The compiled code that it was given does not fit. */
      readonly codeCacheRejected?: boolean;
    }
  | { readonly kind: 'response'; readonly payload: Uint8Array; readonly contentType: string }
  | {
      readonly kind: 'error';
      readonly errorType: string;
      readonly payload: Uint8Array;
      /** The runtime exits after this: an uncaught exception, not an error that the handler threw. */
      readonly fatal?: boolean;
    };

/**
 * The conversation with one runtime process, whatever it is carried by. One call at a time: init
 * first and once, then one event after the other.
 *
 * Where the runtime goes away, or breaks the protocol, the pending call and every later one reject
 * with a RuntimeGoneError; why the process ended is told by the sandbox.
 */
export interface RuntimeSession extends Disposable {
  /** Settles when the conversation is over, whoever ended it, also while no call is pending. */
  readonly gone: Promise<RuntimeGoneError>;
  /** Settles when the runtime's own code is loaded; the function's is not. */
  booted(): Promise<void>;
  init(init: RuntimeInit): Promise<RuntimeResult>;
  /** `onAnswerBegun` is called when the first part of an answer is there that comes in several. */
  invoke(event: RuntimeEvent, onAnswerBegun?: () => void): Promise<RuntimeResult>;
  /**
   * Settles when the runtime waits for the next event, so that it may be frozen: some runtimes do so
   * at once after an answer, others ask for it later.
   */
  idle(): Promise<void>;
  /** Stops reading and writing. Pending calls reject. */
  [Symbol.dispose](): void;
}

/** The runtime can take no more events. `protocolViolation` says what it sent against the rules. */
export class RuntimeGoneError extends Error {
  override readonly name = 'RuntimeGoneError';
  readonly protocolViolation: string | undefined;

  constructor(message: string, protocolViolation?: string) {
    super(message);
    this.protocolViolation = protocolViolation;
  }
}
