import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findPython } from '../support/python.ts';
import { comparable, StartPaths } from '../support/start-paths.ts';

const python = await findPython();

/** Everything that a function can see of its process at init, before it does anything itself. */
const OBSERVE = `
import builtins, gc, locale, logging, os, resource, signal, sys, threading, time

def descriptors():
    found = []
    for fd in range(5):
        try:
            os.fstat(fd)
            found.append(fd)
        except OSError:
            pass
    return found

def writable(folder):
    try:
        with open(folder + "/x", "w"):
            return True
    except OSError:
        return False

def mounts():
    with open("/proc/self/mountinfo") as file:
        fields = [line.split(" ") for line in file]
    # In a worker the code is mounted on the empty folder that was there before, and what could have
    # been assigned, but was not, is an empty mount.
    shown = {each[4] + " " + str("ro" in each[5].split(",")) for each in fields}
    return sorted(shown - {"/opt True", "/var/hearth/cache True"})

AT_LOAD = {
    "argv": sys.argv,
    "orig_argv": getattr(sys, "orig_argv", None),
    "flags": repr(sys.flags),
    "path": sys.path,
    "prefix": [sys.prefix, sys.executable],
    "cwd": os.getcwd(),
    "ids": [os.getuid(), os.getgid(), os.getgroups(), os.umask(0o22)],
    "name": [__name__, __file__],
    "builtins": sorted(dir(builtins)),
    "threads": [threading.active_count(), threading.current_thread().name],
    "handlers": [type(handler).__name__ for handler in logging.getLogger().handlers],
    "level": logging.getLogger().level,
    # The standard library's own come with modules that a worker has loaded already.
    "loggers": sorted(
        name for name in logging.root.manager.loggerDict
        if name.split(".")[0] not in sys.stdlib_module_names
    ),
    "signals": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)],
    "zone": [time.tzname, time.timezone],
    "encodings": [sys.stdout.encoding, sys.stderr.encoding, sys.getfilesystemencoding(), locale.getpreferredencoding(False)],
    "buffering": [sys.stdout.line_buffering, sys.stderr.line_buffering],
    "recursion": sys.getrecursionlimit(),
    "collector": [gc.isenabled(), gc.get_threshold()],
    "limits": [resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_CORE)],
    "descriptors": descriptors(),
    "mounts": mounts(),
    "temporary": [name for name in os.listdir("/tmp") if name != "lost+found"],
    "writable": [each for each in ("/var/task", "/opt", "/var/runtime", "/") if writable(each)],
    "dont_write_bytecode": sys.dont_write_bytecode,
    "hooks": [sys.excepthook is sys.__excepthook__, threading.excepthook.__name__],
}
ENVIRONMENT = dict(os.environ)
VARYING = ("LOG_STREAM", "ENDPOINT_URL", "RUNTIME_API")

def handler(event, context):
    return {
        "atLoad": AT_LOAD,
        "environment": {
            name: "" if any(part in name for part in VARYING) else value
            for name, value in ENVIRONMENT.items()
        },
        "traceIdAtLoad": "_X_AMZN_TRACE_ID" in ENVIRONMENT,
    }
`;

describe.skipIf(python === undefined)(
  'a Python function is the same in a worker and in a process of its own',
  () => {
    let paths: StartPaths;
    beforeAll(async () => {
      paths = await StartPaths.open('python3.13');
    });
    afterAll(async () => {
      await paths?.[Symbol.asyncDispose]();
    });

    test('what it sees of its process', async () => {
      const { pooled, direct } = await paths.compare('observe', {
        files: { 'index.py': OBSERVE },
      });
      expect(pooled.map(comparable)).toEqual(direct.map(comparable));
      expect(pooled[0]).toMatchObject({
        functionError: undefined,
        result: {
          atLoad: { cwd: '/var/task', temporary: [], writable: [], descriptors: [0, 1, 2, 3, 4] },
          environment: { LAMBDA_TASK_ROOT: '/var/task', TZ: ':UTC' },
          traceIdAtLoad: false,
        },
      });
    });

    test('its own variables, also those that act at once', async () => {
      const files = {
        'index.py': `import os, tempfile, time
def handler(event, context):
    return [os.environ["MINE"], os.environ["TZ"], time.localtime(0).tm_hour, os.path.expanduser("~"), os.getenv("TMPDIR")]
`,
      };
      const Variables = { MINE: 'é=x', TZ: 'Asia/Tokyo', HOME: '/tmp/home', TMPDIR: '/tmp/t' };
      const { pooled, direct } = await paths.compare('variables', {
        files,
        settings: { Environment: { Variables } },
      });
      expect(pooled.map(comparable)).toEqual(direct.map(comparable));
      expect(pooled[0]?.result).toEqual(['é=x', 'Asia/Tokyo', 9, '/tmp/home', '/tmp/t']);
    });

    test.each([
      ['PYTHONHASHSEED', { PYTHONHASHSEED: '7' }],
      ['PYTHONPATH', { PYTHONPATH: '/var/task/own' }],
      ['LD_LIBRARY_PATH', { LD_LIBRARY_PATH: '/var/lang/lib:/var/task/lib' }],
    ])('%s acts at the start of the process, which has none ahead', async (name, Variables) => {
      const files = {
        'index.py': `import os
try:
    import from_own
except ImportError:
    from_own = None
def handler(event, context):
    return [hash("text"), from_own is not None, os.environ["${name}"]]
`,
        'own/from_own.py': 'FOUND = True\n',
      };
      const { pooled, direct } = await paths.compare(
        `start-${name.toLowerCase().replaceAll('_', '-')}`,
        { files, settings: { Environment: { Variables } } },
        { pooled: 'direct' },
      );
      const [pooledRest, directRest] = [pooled, direct].map(([answer]) =>
        Array.isArray(answer?.result) ? answer.result.slice(1) : answer,
      );
      expect(pooledRest).toEqual(directRest);
      expect(pooledRest).toEqual([name === 'PYTHONPATH', Object.values(Variables)[0]]);
      if (name === 'PYTHONHASHSEED') {
        expect(pooled.map(comparable)).toEqual(direct.map(comparable));
      }
    });

    test('output of every kind', async () => {
      const files = {
        'index.py': `import logging, os, sys
print("at load")
logging.getLogger().setLevel("INFO")
def handler(event, context):
    print("two\\nlines")
    logging.info("logged %s", 1)
    logging.getLogger("own").warning("warned")
    sys.stdout.write("raw out\\n")
    sys.stderr.write("raw err\\n")
    os.write(1, b"descriptor\\n")
    return "done"
`,
      };
      const { pooled, direct } = await paths.compare('output', { files }, { events: [{}, {}] });
      const sorted = (answers: typeof pooled) =>
        answers.map(({ log }) =>
          log
            .map((line) => line.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z\t[0-9a-f-]{36}/g, ''))
            .filter((line) => line !== '' && !/^(INIT_START|START|END|REPORT)/.test(line))
            .toSorted(),
        );
      expect(sorted(pooled)).toEqual(sorted(direct));
      expect(sorted(pooled)[1]).toContain('raw err');
    });

    test.each([
      ['a syntax error', 'def handler(:\n', 'Runtime.UserCodeSyntaxError'],
      ['an error at load', 'raise ValueError("at load")\n', 'ValueError'],
      ['a missing module', 'import missing\n', 'Runtime.ImportModuleError'],
      ['a missing handler', 'other = 1\n', 'Runtime.HandlerNotFound'],
      ['an exit at load', 'import sys\nsys.exit(3)\n', 'Runtime.ExitError'],
    ])('%s', async (name, source, errorType) => {
      const { pooled, direct } = await paths.compare(`init-${name.replaceAll(/\W+/g, '-')}`, {
        files: { 'index.py': source },
      });
      expect(pooled.map(comparable)).toEqual(direct.map(comparable));
      expect(pooled[0]).toMatchObject({ functionError: 'Unhandled', result: { errorType } });
    });

    test('errors in events, and what follows them', async () => {
      const files = {
        'index.py': `import os, sys
calls = 0
def handler(event, context):
    global calls
    calls += 1
    kind = event["kind"]
    if kind == "raise":
        raise KeyError("raised")
    if kind == "exit":
        sys.exit(5)
    if kind == "abort":
        os.abort()
    return calls
`,
      };
      const kinds = ['count', 'raise', 'count', 'exit', 'count', 'abort', 'count'];
      const { pooled, direct } = await paths.compare(
        'errors',
        { files },
        { events: kinds.map((kind) => ({ kind })) },
      );
      expect(pooled.map(comparable)).toEqual(direct.map(comparable));
      expect(pooled.filter((_, i) => kinds[i] === 'count').map(({ result }) => result)).toEqual([
        1, 3, 1, 1,
      ]);
    });
  },
);
