import type { RuntimeFamily, RuntimeId } from '../domain/runtimes.ts';

/** An interpreter on this machine; for Java the virtual machine. */
export interface Interpreter {
  readonly family: Exclude<RuntimeFamily, 'provided'>;
  /** Full version, `22.11.0`; `8.0.402` for the Java that calls itself 1.8.0_402. */
  readonly version: string;
  /** Folder with `bin/` below; absolute, without symbolic links. */
  readonly prefix: string;
  /** Program relative to the prefix: `bin/node`, `bin/python3.12`, `bin/java`. */
  readonly program: string;
  /** Where it was found: `PATH`, `JAVA_HOME`, `pyenv`, `uv`, `npm`, `system`, `installed`. */
  readonly origin: string;
}

/** What runs a runtime here. */
export interface RuntimeChoice {
  readonly interpreter: Interpreter;
  /** True where the interpreter's version is the runtime's; otherwise it is the nearest one. */
  readonly exact: boolean;
}

/**
 * Finds interpreters. Looking costs processes, so each family is looked for once and remembered.
 * Runtimes of the family `provided` have none: nothing resolves for them, and none is needed.
 */
export interface RuntimeCatalog {
  /**
   * The interpreter for a runtime: the matching one, else the nearest; undefined where the machine
   * has none of the family, or (strict) none that matches.
   */
  resolve(runtime: RuntimeId): Promise<RuntimeChoice | undefined>;
  /** Every interpreter that was found. */
  list(): Promise<Interpreter[]>;
}
