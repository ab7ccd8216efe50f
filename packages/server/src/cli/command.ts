import type { Output } from './output.ts';

/** An option as commander spells it: `-e, --event <json|file|->`. */
export interface OptionSpecification {
  readonly flags: string;
  readonly description: string;
  /** It may be given more than once; its values are collected. */
  readonly isRepeatable?: boolean;
}

export interface ArgumentSpecification {
  /** `<name>`, or `[name]` where it may be left out. */
  readonly name: string;
  readonly description: string;
}

/** What a command is run with. */
export interface CommandContext {
  readonly environment: NodeJS.ProcessEnv;
  /** Absolute folder that relative paths start from. */
  readonly workingDirectory: string;
  readonly output: Output;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

/** A command as data; one module each. */
export interface Command {
  readonly arguments: readonly ArgumentSpecification[];
  readonly options: readonly OptionSpecification[];
  /** What `--help` says at its end. */
  readonly notes?: string;
  /** True where the command ends itself in its own way when it is asked to stop. */
  readonly handlesSignals?: boolean;
  /** Settles with the exit code. */
  run(
    context: CommandContext,
    commandArguments: readonly string[],
    options: CommandOptions,
  ): Promise<number>;
}

/** A command's place in the program; its module is loaded when it is used. */
export interface CommandEntry {
  /** `invoke`, or with its group `functions list`. */
  readonly path: string;
  readonly summary: string;
  load(): Promise<Command>;
}

/** Options as they were given, by their long name in camel case. */
export class CommandOptions {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }

  isSet(name: string): boolean {
    return this.#values[name] !== undefined && this.#values[name] !== false;
  }

  /** Values of a repeatable option; undefined where it was not given. */
  list(name: string): readonly string[] | undefined {
    const value = this.#values[name];
    if (!Array.isArray(value)) return undefined;
    return value.filter((item) => typeof item === 'string');
  }

  /** The text and switch options, for the configuration. */
  flags(names: readonly string[]): Record<string, string | boolean> {
    const flags: Record<string, string | boolean> = {};
    for (const name of names) {
      const value = this.#values[name];
      if (typeof value === 'string' || typeof value === 'boolean') flags[name] = value;
    }
    return flags;
  }
}

/** A mistake in how the program was called: exit code 2. The message is one line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Why a command failed: exit code 1. The message is one line. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}
