import { rmSync } from 'node:fs';
import { afterAll, afterEach } from 'vitest';
import type { RuntimeInit } from '../../../server/src/runtime-api/runtime-session.ts';
import { errorOf, type ErrorAnswer } from '../../contract/answers.ts';
import { LaunchedRuntime, type FunctionFiles } from '../../contract/launched-runtime.ts';
import { buildForTest } from './node-under-test.ts';

type InitOverrides = Partial<RuntimeInit>;

/** Starts functions on the Node.js that runs the tests, and ends them after each test. */
export class NodeRuntime {
  readonly #build = buildForTest();
  #running: LaunchedRuntime[] = [];

  /** Call once at the top of a test file. */
  static forThisFile(): NodeRuntime {
    const runtime = new NodeRuntime();
    afterEach(() => runtime.#end());
    afterAll(() => rmSync(runtime.#build.directory, { recursive: true, force: true }));
    return runtime;
  }

  /** @param environment `_HEARTH_PREPARE` makes it a worker that was started ahead */
  async launch(
    files: FunctionFiles,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<LaunchedRuntime> {
    const command = { argv: [process.execPath, this.#build.file], environment } as const;
    const launched = await LaunchedRuntime.start(command, files);
    this.#running.push(launched);
    return launched;
  }

  /** Starts `index.handler` of one file and throws where it does not get ready. */
  async ready(source: string, overrides: InitOverrides = {}): Promise<LaunchedRuntime> {
    const launched = await this.launch({ 'index.js': source });
    const result = await launched.init({
      handler: 'index.handler',
      runtime: 'nodejs22.x',
      ...overrides,
    });
    if (result.kind !== 'ready')
      throw new Error(`Expected ready: received ${JSON.stringify(errorOf(result))}`);
    return launched;
  }

  /** Loads a function that fails to load, and answers how. */
  async failedInit(files: FunctionFiles, overrides: InitOverrides = {}): Promise<FailedInit> {
    const launched = await this.launch(files);
    const result = await launched.init({
      handler: 'index.handler',
      runtime: 'nodejs22.x',
      ...overrides,
    });
    const { code } = await launched.exited;
    return { launched, code, ...errorOf(result) };
  }

  async #end(): Promise<void> {
    const running = this.#running;
    this.#running = [];
    await Promise.all(running.map((launched) => launched[Symbol.asyncDispose]()));
  }
}

export interface FailedInit extends ErrorAnswer {
  readonly launched: LaunchedRuntime;
  readonly code: number | undefined;
}
