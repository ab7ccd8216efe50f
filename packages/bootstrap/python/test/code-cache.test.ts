import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type {
  CodeCacheTerms,
  RuntimeResult,
} from '../../../server/src/runtime-api/runtime-session.ts';
import { answerOf } from '../../contract/answers.ts';
import { LaunchedRuntime } from '../../contract/launched-runtime.ts';
import { describePythons } from './python-under-test.ts';

/** Enough functions for their code to be worth keeping. */
const FUNCTIONS = Array.from({ length: 200 }, (_, i) => `def named${i}(x): return [x + ${i}]\n`);
const SOURCE = `${FUNCTIONS.join('')}
import inspect, traceback
import part

def handler(event, context):
    try:
        part.fail()
    except ValueError as error:
        frames = [(f.lineno, f.name) for f in traceback.extract_tb(error.__traceback__)]
    return {
        "sum": sum(globals()["named%d" % i](1)[0] for i in range(200)),
        "frames": frames[1:],
        "source": inspect.getsource(named7),
        "loader": type(__loader__).__name__,
        "file": __file__,
    }
`;
const PART = 'def fail():\n    raise ValueError("as wanted")\n';

describePythons((python) => {
  let folder = '';
  let taskRoot = '';
  let cacheFolder = '';
  let running: LaunchedRuntime[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hearth-code-cache-'));
    taskRoot = join(folder, 'task');
    cacheFolder = join(folder, 'cache');
    await mkdir(taskRoot);
    await mkdir(cacheFolder);
    writeFileSync(join(taskRoot, 'app.py'), SOURCE);
    writeFileSync(join(taskRoot, 'part.py'), PART);
  });
  afterEach(async () => {
    for (const launched of running) await launched[Symbol.asyncDispose]();
    running = [];
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(
    codeCache: CodeCacheTerms,
  ): Promise<{ launched: LaunchedRuntime; result: RuntimeResult }> {
    const launched = await LaunchedRuntime.start(python.command, {});
    running.push(launched);
    const terms = { taskRoot, runtime: python.runtime, codeCache };
    return { launched, result: await launched.init({ handler: 'app.handler', ...terms }) };
  }

  /** What an environment leaves after its first event, and how it answers. */
  async function collect(): Promise<{ file: Buffer; first: unknown; second: unknown }> {
    const chunks: Uint8Array[] = [];
    const ended = Promise.withResolvers<void>();
    const add = (chunk: Uint8Array): void => void chunks.push(Uint8Array.from(chunk));
    const { launched } = await start({ sink: { add, end: () => ended.resolve() } });
    const first = answerOf(await launched.invoke({}));
    await ended.promise;
    const second = answerOf(await launched.invoke({}));
    return { file: Buffer.concat(chunks), first, second };
  }

  test('holds what init and the first event have compiled; answers are the same with it', async () => {
    const { file, first, second } = await collect();
    expect(second).toEqual(first);
    expect(first).toMatchObject({ frames: [[2, 'fail']], loader: 'SourceFileLoader' });

    writeFileSync(join(cacheFolder, 'v8.cache'), file);
    const cached = await start({ folder: cacheFolder });
    expect(cached.result).toEqual({ kind: 'ready' });
    expect(answerOf(await cached.launched.invoke({}))).toEqual(first);
  });

  test('is executed in place of the source, which is not looked at', async () => {
    writeFileSync(join(cacheFolder, 'v8.cache'), (await collect()).file);
    writeFileSync(join(taskRoot, 'part.py'), 'this is no Python');
    const { launched } = await start({ folder: cacheFolder });
    expect(answerOf(await launched.invoke({}))).toMatchObject({ frames: [[2, 'fail']] });
  });

  test.each([
    ['is empty', () => Buffer.alloc(0)],
    ['is noise', () => Buffer.from('HEARTHP1 and nothing that follows')],
    ['is cut off', (whole: Buffer) => whole.subarray(0, whole.length / 2)],
  ])('that %s is told of, and the function runs', async (_, damaged) => {
    const { file, first } = await collect();
    writeFileSync(join(cacheFolder, 'v8.cache'), damaged(file));
    const { launched, result } = await start({ folder: cacheFolder });
    expect(result).toEqual({ kind: 'ready', codeCacheRejected: true });
    expect(answerOf(await launched.invoke({}))).toEqual(first);
  });

  test('that is not there is as good as none', async () => {
    const { launched, result } = await start({ folder: cacheFolder });
    expect(result).toEqual({ kind: 'ready' });
    expect(answerOf(await launched.invoke({}))).toMatchObject({ frames: [[2, 'fail']] });
  });

  test('is empty for little code', async () => {
    writeFileSync(join(taskRoot, 'app.py'), 'def handler(event, context): return 1\n');
    expect((await collect()).file).toHaveLength(0);
  });
});
