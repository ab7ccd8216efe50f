import { afterEach } from 'vitest';
import { LaunchedRuntime, type FunctionFiles } from '../../contract/launched-runtime.ts';
import type {
  RuntimeEvent,
  RuntimeInit,
  RuntimeResult,
} from '../../../server/src/runtime-api/runtime-session.ts';
import type { PythonUnderTest } from './python-under-test.ts';

/** Everything a process has written, once it has ended. */
export interface Output {
  readonly stdout: string;
  readonly stderr: string;
  readonly logs: readonly string[];
}

/** Starts functions with one interpreter, and ends them after each test. */
export class PythonFunctions {
  readonly #python: PythonUnderTest;
  #running: LaunchedRuntime[] = [];

  constructor(python: PythonUnderTest) {
    this.#python = python;
    afterEach(async () => {
      const ended = this.#running;
      this.#running = [];
      await Promise.all(ended.map((launched) => launched[Symbol.asyncDispose]()));
    });
  }

  /** Starts the interpreter over `files`; nothing of them is loaded yet. */
  async launch(files: FunctionFiles): Promise<LaunchedRuntime> {
    const launched = await LaunchedRuntime.start(this.#python.command, files);
    this.#running.push(launched);
    return launched;
  }

  /** What init answers. */
  async init(
    files: FunctionFiles,
    handler: string,
    init: Partial<RuntimeInit> = {},
  ): Promise<{ readonly launched: LaunchedRuntime; readonly result: RuntimeResult }> {
    const launched = await this.launch(files);
    const result = await launched.init({ handler, runtime: this.#python.runtime, ...init });
    return { launched, result };
  }

  /** A function whose module is `source`, with its `handler` loaded. Throws where init fails. */
  async serve(source: string, init: Partial<RuntimeInit> = {}): Promise<LaunchedRuntime> {
    const { launched, result } = await this.init({ 'app.py': source }, 'app.handler', init);
    if (result.kind === 'ready') return launched;
    const detail = result.kind === 'error' ? Buffer.from(result.payload).toString() : '';
    throw new Error(`Expected the module to load: received ${result.kind} ${detail}`);
  }

  /** Result of one event, of a handler that evaluates `expression` with `event` and `context`. */
  async evaluate(
    expression: string,
    { event = {}, imports = '', init = {}, overrides = {} }: Evaluation = {},
  ): Promise<RuntimeResult> {
    const source = `${imports}\ndef handler(event, context):\n    return ${expression}\n`;
    return (await this.serve(source, init)).invoke(event, overrides);
  }
}

interface Evaluation {
  readonly event?: unknown;
  readonly imports?: string;
  readonly init?: Partial<RuntimeInit>;
  readonly overrides?: Partial<RuntimeEvent>;
}

/** Closes the channel, which ends the process, and gives what it has written. */
export async function finish(launched: LaunchedRuntime): Promise<Output> {
  launched.session[Symbol.dispose]();
  await launched.exited;
  const [stdout, stderr] = await Promise.all([launched.stdout(), launched.stderr()]);
  return { stdout, stderr, logs: launched.logs.map(({ message }) => message) };
}

/** Payload of a response as text; throws where the result is none. */
export function textOf(result: RuntimeResult): string {
  if (result.kind === 'response') return Buffer.from(result.payload).toString('utf8');
  throw new Error(`Expected a response: received ${JSON.stringify(result)}`);
}
