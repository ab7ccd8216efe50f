import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { comparable, StartPaths } from '../support/start-paths.ts';

/** Everything that a function can see of its process at init, before it does anything itself. */
const OBSERVE = `
const fs = require('node:fs');
const Module = require('node:module');
const atLoad = {
  argv: process.argv,
  execArgv: process.execArgv,
  argv0: process.argv0,
  title: process.title,
  cwd: process.cwd(),
  pid: process.pid,
  ids: [process.getuid(), process.getgid(), process.getgroups(), process.umask()],
  globals: Reflect.ownKeys(globalThis).map(String),
  awslambda: Reflect.ownKeys(globalThis.awslambda ?? {}).map(String),
  mainModule: [require.main === undefined, process.mainModule === undefined],
  module: [module.id, module.filename, module.parent?.id, module.children.length],
  modulePaths: module.paths,
  globalPaths: Module.globalPaths,
  requireCache: Object.keys(require.cache),
  pathCache: Object.keys(Module._pathCache).filter((key) => !key.includes('/var/task')),
  compile: Module.prototype._compile.length,
  wrapper: Module.wrapper,
  listeners: Object.fromEntries(process.eventNames().map((name) => [String(name), process.listenerCount(name)])),
  resources: process.getActiveResourcesInfo(),
  console: Reflect.ownKeys(console).map(String),
  consoleFunctions: ['log', 'error', 'warn', 'info', 'debug', 'trace'].map((name) => console[name].toString()),
  timeZone: [Intl.DateTimeFormat().resolvedOptions().timeZone, new Date(0).getTimezoneOffset(), new Date(0).getHours()],
  locale: Intl.DateTimeFormat().resolvedOptions().locale,
  heapLimit: require('node:v8').getHeapStatistics().heap_size_limit,
  headerSize: require('node:http').maxHeaderSize,
  descriptors: fs.readdirSync('/proc/self/fd').filter((fd) => {
    try { return !fs.readlinkSync('/proc/self/fd/' + fd).startsWith('/proc/'); } catch { return false; }
  }).map(Number).filter((fd) => fd < 5),
  limits: fs.readFileSync('/proc/self/limits', 'utf8').split('\\n').filter((line) => /open files|core file|processes/.test(line)),
  commandLine: fs.readFileSync('/proc/self/cmdline', 'latin1').split('\\0'),
  mounts: fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\\n').filter(Boolean)
    .map((line) => line.split(' ')).map((fields) => [fields[4], fields[5].split(',').includes('ro')].join(' ')).sort()
    // In a worker the code is mounted on the empty folder that was there before, and what could have
    // been assigned, but was not, is an empty mount.
    .filter((mount, i, all) => mount !== all[i - 1] && !['/opt true', '/var/hearth/cache true'].includes(mount)),
  temporary: fs.readdirSync('/tmp').filter((name) => name !== 'lost+found'),
  writable: ['/var/task', '/opt', '/var/runtime', '/var/hearth/cache', '/'].filter((folder) => {
    try { fs.writeFileSync(folder + '/x', ''); return true; } catch { return false; }
  }),
  source: [typeof __filename, __filename, __dirname, exports === module.exports],
  stack: new Error('here').stack.split('\\n').slice(0, 2),
  asyncContext: require('node:async_hooks').executionAsyncResource() !== undefined,
  error: [Error.stackTraceLimit, typeof Error.prepareStackTrace],
  intrinsics: Reflect.ownKeys(Object.prototype).length + Reflect.ownKeys(Array.prototype).length,
};
const environment = { ...process.env };
exports.handler = async (event) => ({
  atLoad,
  environment: Object.fromEntries(Object.entries(environment).map(([name, value]) =>
    [name, /LOG_STREAM|ENDPOINT_URL|RUNTIME_API/.test(name) ? typeof value : value])),
  traceIdAtLoad: '_X_AMZN_TRACE_ID' in environment,
  atEvent: {
    resources: process.getActiveResourcesInfo(),
    listeners: process.eventNames().map(String),
    cwd: process.cwd(),
  },
});
`;

/** The rest tells how far the process got, which differs from run to run. */
function errorTypeOf(answer: unknown): string | undefined {
  return /"errorType":"([^"]+)"/.exec(JSON.stringify(answer))?.[1];
}

describe('a Node.js function is the same in a worker and in a process of its own', () => {
  let paths: StartPaths;
  beforeAll(async () => {
    paths = await StartPaths.open('nodejs24.x');
  });
  afterAll(async () => {
    await paths?.[Symbol.asyncDispose]();
  });

  test('what it sees of its process', async () => {
    const { pooled, direct } = await paths.compare('observe', { files: { 'index.js': OBSERVE } });
    expect(pooled.map(comparable)).toEqual(direct.map(comparable));
    expect(pooled[0]).toMatchObject({
      functionError: undefined,
      result: {
        atLoad: {
          cwd: '/var/task',
          temporary: [],
          writable: [],
          requireCache: ['/var/runtime/index.cjs', '/var/task/index.js'],
          mainModule: [true, true],
          descriptors: [0, 1, 2, 3, 4],
        },
        environment: { LAMBDA_TASK_ROOT: '/var/task', TZ: ':UTC' },
        traceIdAtLoad: false,
      },
    });
  });

  test('its own variables, also those that act at once', async () => {
    const files = {
      'index.js': `exports.handler = async () => [process.env.MINE, process.env.TZ, new Date(0).getHours(),
        require('node:os').homedir(), require('node:os').tmpdir(), 'FORCE_COLOR' in process.env];`,
    };
    const Variables = { MINE: 'é=x', TZ: 'Asia/Tokyo', HOME: '/tmp/home', TMPDIR: '/tmp/t' };
    const { pooled, direct } = await paths.compare('variables', {
      files,
      settings: { Environment: { Variables } },
    });
    expect(pooled[0]?.result).toEqual(['é=x', 'Asia/Tokyo', 9, '/tmp/home', '/tmp/t', false]);
    expect(pooled.map(comparable)).toEqual(direct.map(comparable));
  });

  test.each([
    ['NODE_OPTIONS', { NODE_OPTIONS: '--stack-trace-limit=3' }],
    ['NODE_PATH', { NODE_PATH: '/var/task/own' }],
    ['LD_LIBRARY_PATH', { LD_LIBRARY_PATH: '/var/task/lib' }],
  ])('%s acts at the start of the process, which has none ahead', async (name, Variables) => {
    const files = {
      'index.js': `exports.handler = async () => [Error.stackTraceLimit, process.execArgv.length,
        (() => { try { return require('from-own'); } catch { return 'none'; } })(), process.env.${name}];`,
      'own/from-own/index.js': 'module.exports = "found";',
    };
    const { pooled, direct } = await paths.compare(
      `start-${name.toLowerCase().replaceAll('_', '-')}`,
      { files, settings: { Environment: { Variables } } },
      { pooled: 'direct' },
    );
    expect(pooled.map(comparable)).toEqual(direct.map(comparable));
    expect(pooled[0]?.result).toEqual([
      name === 'NODE_OPTIONS' ? 3 : 10,
      expect.any(Number),
      name === 'NODE_PATH' ? 'found' : 'none',
      Object.values(Variables)[0],
    ]);
  });

  test('output of every kind, and its order within a kind', async () => {
    const files = {
      'index.js': `const fs = require('node:fs');
        console.log('at load');
        fs.writeSync(1, 'raw at load\\n');
        exports.handler = async () => {
          console.log('text %s', 'formatted', { a: 1 });
          console.error(new TypeError('logged').message);
          console.log('two\\nlines');
          process.stdout.write('raw out\\n');
          process.stderr.write('raw err\\n');
          await new Promise((resolve) => setTimeout(resolve, 20));
          return 'done';
        };`,
    };
    const { pooled, direct } = await paths.compare('output', { files }, { events: [{}, {}] });
    const sorted = (answers: typeof pooled) =>
      answers.map(({ log }) =>
        log
          .filter((line) => line !== '')
          .map((line) => line.replace(/^.*\t(?=INFO|ERROR)/, ''))
          .filter((line) => !/^(INIT_START|START|END|REPORT)/.test(line))
          .toSorted(),
      );
    expect(sorted(pooled)).toEqual(sorted(direct));
    expect(sorted(pooled)[1]).toContain('raw err');
  });

  test.each([
    ['a syntax error', 'exports.handler = async () => {', 'Runtime.UserCodeSyntaxError'],
    ['an error at load', "throw new RangeError('at load');", 'RangeError'],
    ['a missing module', "require('./missing');", 'Runtime.ImportModuleError'],
    ['a missing handler', 'exports.other = 1;', 'Runtime.HandlerNotFound'],
    ['an exit at load', 'process.exit(3);', 'Runtime.ExitError'],
    ['an await that never ends', 'await new Promise(() => {});', undefined],
    [
      'a rejection at load',
      "Promise.reject(new Error('lost'));exports.handler=async()=>1;",
      undefined,
    ],
  ])('%s', async (name, source, errorType) => {
    const isModule = source.startsWith('await');
    const { pooled, direct } = await paths.compare(`init-${name.replaceAll(/\W+/g, '-')}`, {
      files: { [isModule ? 'index.mjs' : 'index.js']: source },
    });
    expect(pooled.map(comparable)).toEqual(direct.map(comparable));
    expect(pooled[0]?.functionError).toBe('Unhandled');
    if (errorType !== undefined) expect(pooled[0]?.result).toMatchObject({ errorType });
  });

  test('errors in events: thrown, uncaught, rejected, exits, and what follows them', async () => {
    const files = {
      'index.js': `let calls = 0;
        exports.handler = async ({ kind }) => {
          calls += 1;
          if (kind === 'throw') throw new TypeError('thrown');
          if (kind === 'uncaught') setImmediate(() => { throw new Error('uncaught'); });
          if (kind === 'rejected') { Promise.reject(new Error('rejected')); }
          if (kind === 'exit') process.exit(5);
          if (kind === 'abort') process.abort();
          if (kind !== 'count') await new Promise((resolve) => setTimeout(resolve, 200));
          return calls;
        };`,
    };
    const kinds = [
      'count',
      'throw',
      'count',
      'uncaught',
      'count',
      'rejected',
      'count',
      'exit',
      'count',
      'abort',
      'count',
    ];
    const { pooled, direct } = await paths.compare(
      'errors',
      { files },
      { events: kinds.map((kind) => ({ kind })) },
    );
    expect(pooled.map(comparable)).toEqual(direct.map(comparable));
    expect(pooled.filter((_, i) => kinds[i] === 'count').map(({ result }) => result)).toEqual([
      1, 3, 1, 1, 1, 1,
    ]);
  });

  test('a function that grows beyond its heap ends as one without memory', async () => {
    const files = {
      'index.js': `exports.handler = async () => { const all = []; for (;;) all.push(new Array(1000).fill(all.length)); };`,
    };
    const { pooled, direct } = await paths.compare('heap', {
      files,
      settings: { Timeout: 60 },
    });
    expect(pooled[0]?.functionError).toBe('Unhandled');
    const [pooledError, directError] = [pooled, direct].map(
      ([answer]) => answer && comparable(answer),
    );
    expect(pooledError).toMatchObject({ result: { errorType: expect.any(String) } });
    expect([pooledError].map(errorTypeOf)).toEqual([directError].map(errorTypeOf));
  });

  test('ES modules, their caller and their packages', async () => {
    const files = {
      'index.mjs': `import { createRequire } from 'node:module';
        import value from 'dependency';
        const loaded = await import('./other.mjs');
        export const handler = async () => [value, loaded.default, import.meta.url, import.meta.filename,
          typeof require, createRequire(import.meta.url)('./data.json'), this === undefined];`,
      'other.mjs': 'export default "other";',
      'data.json': '{"a":1}',
      'node_modules/dependency/package.json':
        '{"name":"dependency","exports":"./main.js","type":"module"}',
      'node_modules/dependency/main.js': 'export default "from the package";',
    };
    const { pooled, direct } = await paths.compare('modules', { files });
    expect(pooled.map(comparable)).toEqual(direct.map(comparable));
    expect(pooled[0]?.result).toMatchObject({ 0: 'from the package', 1: 'other', 4: 'undefined' });
  });
});
