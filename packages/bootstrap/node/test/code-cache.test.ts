import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type {
  CodeCacheTerms,
  RuntimeResult,
} from '../../../server/src/runtime-api/runtime-session.ts';
import { answerOf, errorOf } from '../../contract/answers.ts';
import type { LaunchedRuntime } from '../../contract/launched-runtime.ts';
import { unpackCodeCache } from '../src/code-cache-file.ts';
import { NodeRuntime } from './node-runtime.ts';

const node = NodeRuntime.forThisFile();

/** Enough functions for their code to be worth keeping; each is compiled when it is called. */
const SOURCE = `
const big = [];
${Array.from({ length: 400 }, (_, i) => `big.push(function named${i}(x) { return [x + ${i}, { key${i}: 'text ${i}' }]; });`).join('\n')}
exports.handler = async () => ({
  sum: big.reduce((total, each) => total + each(1)[0], 0),
  where: new Error('here').stack.split('\\n')[1].replace(/.*\\//, ''),
  source: big[7].toString(),
});
exports.late = async () => require('./late.js');
`;

let folder = '';
let taskRoot = '';
let cacheFolder = '';

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-code-cache-'));
  taskRoot = join(folder, 'task');
  cacheFolder = join(folder, 'cache');
  await mkdir(taskRoot);
  await mkdir(cacheFolder);
  writeFileSync(join(taskRoot, 'index.js'), SOURCE);
  writeFileSync(join(taskRoot, 'late.js'), 'module.exports = 42;');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

class Collected {
  readonly chunks: Uint8Array[] = [];
  readonly ended: Promise<Buffer>;
  readonly terms: CodeCacheTerms;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<Buffer>();
    this.ended = promise;
    this.terms = {
      sink: {
        add: (chunk) => void this.chunks.push(Uint8Array.from(chunk)),
        end: () => resolve(Buffer.concat(this.chunks)),
      },
    };
  }
}

async function start(
  codeCache: CodeCacheTerms,
  { environment = {}, handler = 'index.handler' } = {},
): Promise<{ launched: LaunchedRuntime; result: RuntimeResult }> {
  const launched = await node.launch({}, environment);
  const result = await launched.init({ taskRoot, handler, runtime: 'nodejs24.x', codeCache });
  return { launched, result };
}

const OWN_FRAME = /^ {4}at .*(?:index\.cjs|node:internal|\/var\/runtime\/index\.mjs)/;

/** What an environment leaves after its first event. */
async function collect(): Promise<Buffer> {
  const collected = new Collected();
  const { launched } = await start(collected.terms);
  await launched.invoke({});
  return collected.ended;
}

describe.each([
  ['a process of its own', {}],
  ['a worker', { _HEARTH_PREPARE: '1' }],
])('code cache in %s', (_, environment) => {
  test('holds what the first event has compiled, once, and answers are the same with it', async () => {
    const collected = new Collected();
    const { launched } = await start(collected.terms, { environment });
    const first = answerOf(await launched.invoke({}));
    const file = await collected.ended;
    expect([...unpackCodeCache(file).keys()]).toEqual([join(taskRoot, 'index.js')]);
    expect(answerOf(await launched.invoke({}))).toEqual(first);
    expect(Buffer.concat(collected.chunks)).toHaveLength(file.length);

    writeFileSync(join(cacheFolder, 'v8.cache'), file);
    const second = await start({ folder: cacheFolder }, { environment });
    expect(second.result).toEqual({ kind: 'ready' });
    expect(answerOf(await second.launched.invoke({}))).toEqual(first);
    expect(first).toMatchObject({
      where: 'index.js:405:10)',
      source: "function named7(x) { return [x + 7, { key7: 'text 7' }]; }",
    });
  });

  test('a module that is loaded later is loaded as always', async () => {
    writeFileSync(join(cacheFolder, 'v8.cache'), await collect());
    const { launched } = await start(
      { folder: cacheFolder },
      { environment, handler: 'index.late' },
    );
    expect(answerOf(await launched.invoke({}))).toBe(42);
  });
});

test('code that was changed is not taken from the cache', async () => {
  writeFileSync(join(cacheFolder, 'v8.cache'), await collect());
  const changed = SOURCE.replace('return [x + 0,', 'return [x + 9,');
  expect(changed).toHaveLength(SOURCE.length);
  writeFileSync(join(taskRoot, 'index.js'), changed);
  const { launched } = await start({ folder: cacheFolder });
  expect(answerOf(await launched.invoke({}))).toMatchObject({ sum: (400 * 401) / 2 + 9 });
});

test.each([
  ['is not there', () => undefined],
  ['is empty', () => Buffer.alloc(0)],
  ['is noise', () => Buffer.from('HEARTHC1 and nothing that follows')],
  ['is cut off', (whole: Buffer) => whole.subarray(0, whole.length / 2)],
])('a cache that %s is as good as none', async (_, damaged) => {
  const bytes = damaged(await collect());
  if (bytes !== undefined) writeFileSync(join(cacheFolder, 'v8.cache'), bytes);
  const { launched, result } = await start({ folder: cacheFolder });
  expect(result).toEqual({ kind: 'ready' });
  expect(answerOf(await launched.invoke({}))).toMatchObject({ sum: (400 * 401) / 2 });
});

test('a cache of another V8 is told of, and the function runs', async () => {
  const file = await collect();
  const [cached] = unpackCodeCache(file).values();
  const code = cached?.code ?? Buffer.alloc(8);
  // V8's own header: magic number, then the hash of its version.
  new DataView(code.buffer, code.byteOffset).setUint32(4, 0x12345678, true);
  writeFileSync(join(cacheFolder, 'v8.cache'), file);
  const { launched, result } = await start({ folder: cacheFolder });
  expect(result).toEqual({ kind: 'ready', codeCacheRejected: true });
  expect(answerOf(await launched.invoke({}))).toMatchObject({ sum: (400 * 401) / 2 });
});

test('a function with little code says that there is nothing to keep', async () => {
  writeFileSync(join(taskRoot, 'index.js'), 'exports.handler = async () => 1;');
  expect(await collect()).toHaveLength(0);
});

test('nothing of the function runs while its code is taken out', async () => {
  writeFileSync(
    join(taskRoot, 'index.js'),
    `${SOURCE}
let turns = 0;
exports.handler = async () => {
  big.forEach((each) => each(1));
  const count = () => { turns += 1; setImmediate(count).unref(); };
  setImmediate(count).unref();
  return turns;
};`,
  );
  const collected = new Collected();
  const { launched } = await start(collected.terms);
  await launched.invoke({});
  expect(unpackCodeCache(await collected.ended).size).toBe(1);
});

test('a syntax error and an error at load read as they do without it', async () => {
  const plain = readFileSync(join(taskRoot, 'index.js'), 'utf8');
  for (const broken of [`${plain}\nthis is wrong`, `${plain}\nthrow new TypeError('at load');`]) {
    writeFileSync(join(taskRoot, 'index.js'), broken);
    const [without, collecting] = await Promise.all([start({}), start(new Collected().terms)]);
    const [expected, received] = [without.result, collecting.result].map((result) => {
      const { errorType, body } = errorOf(result);
      const { trace, ...rest } = body;
      // The bootstrap's own way to the module is longer.
      const lines = Array.isArray(trace) ? trace.filter((line) => !OWN_FRAME.test(line)) : [];
      return { errorType, ...rest, lines };
    });
    expect(received).toEqual(expected);
  }
});
