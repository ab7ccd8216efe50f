export type SandboxChoice = 'auto' | 'process' | 'namespace';

/** What functions may connect to besides the server: what the host reaches, or nothing. */
export type EgressChoice = 'internet' | 'none';

/** Everything that can be set about a server; parsed once, frozen, and passed down. */
export interface ServerConfig {
  /** 0 lets the system choose. */
  readonly port: number;
  readonly host: string;
  /** Serve a host that others can reach although requests are not authenticated. */
  readonly allowUnauthenticated: boolean;
  /** Absolute; need not exist yet. */
  readonly dataDir: string;
  /** Region of requests that name none. */
  readonly region: string;
  /** Account of requests whose access key id is not one; twelve digits. */
  readonly accountId: string;
  readonly sandbox: SandboxChoice;
  /** Where functions share the host's network, it has no effect. */
  readonly egress: EgressChoice;
  /** Refuse a runtime whose own interpreter is missing, where otherwise the nearest one runs it. */
  readonly strictRuntimes: boolean;
  /** How long an environment waits for its next event before it is ended. */
  readonly keepAliveSeconds: number;
  /** An environment of this age takes no more events. */
  readonly maxLifetimeSeconds: number;
  /** Booted workers kept ready for each runtime in use. */
  readonly prewarm: number;
  /** What workers kept ready may hold in all. */
  readonly prewarmMemoryMb: number;
  /** Events that run at the same time in one account and region. */
  readonly accountConcurrency: number;
  /** `AWS_ENDPOINT_URL` of functions, without a slash at its end; undefined stands for the server's own address. */
  readonly functionEndpoint: string | undefined;
  /** Folders below which `S3Bucket=hot-reload` may run code in place, absolute; undefined stands for any. */
  readonly hotReloadRoots: readonly string[] | undefined;
}
