/** Headers of the frames that the server sends; see PROTOCOL.md. */

export interface InitHeader {
  readonly handler: string;
  readonly taskRoot: string;
  readonly runtime: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly functionName: string;
  readonly functionVersion: string;
  readonly memoryLimitInMB: string;
  readonly logGroupName: string;
  readonly logStreamName: string;
  readonly warnings: readonly string[];
  /** Folder with compiled code of an earlier environment; read-only. */
  readonly codeCache?: string;
  /** The server wants the compiled code after the first event. */
  readonly collectCodeCache?: boolean;
}

export interface InvokeHeader {
  readonly requestId: string;
  /** Milliseconds since the epoch. */
  readonly deadlineMs: number;
  readonly invokedFunctionArn: string;
  readonly traceId?: string;
  /** JSON text. */
  readonly clientContext?: string;
  /** JSON text. */
  readonly cognitoIdentity?: string;
}
