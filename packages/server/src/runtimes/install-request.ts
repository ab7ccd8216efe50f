import type { RuntimeId } from '../domain/runtimes.ts';
import type { LocalRuntimeCatalogOptions } from './local-runtime-catalog.ts';

export interface InstallRequest {
  readonly dataDir: string;
  /** Environment of the installing program; its PATH is where that program is looked for. */
  readonly environment: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** Maven repository that Java's client comes from; what the environment and Maven say otherwise. */
  readonly mavenUrl?: string;
  /** Where to look for a Java, if not on this machine. */
  readonly machine?: Pick<LocalRuntimeCatalogOptions, 'homeDirectory' | 'systemRoot' | 'probe'>;
}

/** A runtime that is installed now. */
export interface InstalledRuntime {
  readonly runtime: RuntimeId;
  /** Of the interpreter. */
  readonly version: string;
  /** Path of the interpreter. */
  readonly path: string;
  /** What is not as it was asked for, and why; one line. */
  readonly note?: string;
}
