import { describe, expect, test } from 'vitest';
import { answerOf, errorOf } from '../../contract/answers.ts';
import { describePythons } from './python-under-test.ts';
import { finish, PythonFunctions } from './serve-module.ts';

const REQUEST_ID = '6bc28136-xmpl-4365-b021-0ce6b2e64ab0';
const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;
/** Under which AWS keeps the indentation of stack traces in the log. */
const NBSP = '\u00a0';

const LOGGING = `
import logging
logger = logging.getLogger("my.name")
`;

describePythons((python) => {
  const functions = new PythonFunctions(python);

  /** All that `body`, the lines of a handler, writes in one event. */
  async function outputOf(body: string, environment: Record<string, string> = {}, head = LOGGING) {
    const source = `${head}\ndef handler(event, context):\n${body.replaceAll(/^/gm, '    ')}\n`;
    const launched = await functions.serve(source, { environment });
    await launched.invoke({});
    return { ...(await finish(launched)), events: launched.logs };
  }

  describe('text', () => {
    test('a record is level, time, request id and message; only WARNING and above are shown', async () => {
      const { events } = await outputOf(
        'logger.info("no")\nlogger.warning("careful %d", 5)\nlogger.critical("a\\n  b")',
      );
      expect(events.map(({ message }) => message)).toEqual([
        expect.stringMatching(`^\\[WARNING\\]\t${TIME}\t${REQUEST_ID}\tcareful 5$`),
        expect.stringMatching(`^\\[CRITICAL\\]\t${TIME}\t${REQUEST_ID}\ta\n  b$`),
      ]);
      // Without a configured level AWS does not label events.
      expect(events.map(({ level, format }) => [level, format])).toEqual([
        [undefined, 'text'],
        [undefined, 'text'],
      ]);
    });

    test('the configured level applies and labels the events', async () => {
      const { events } = await outputOf('logger.debug("no")\nlogger.info("yes")', {
        AWS_LAMBDA_LOG_LEVEL: 'INFO',
      });
      expect(events.map(({ level, message }) => [level, message.split('\t').at(-1)])).toEqual([
        ['INFO', 'yes'],
      ]);
    });

    test.each(['FATAL', 'nonsense', ''])('the level %j harms nothing', async (level) => {
      const { logs } = await outputOf('logger.critical("shown")', { AWS_LAMBDA_LOG_LEVEL: level });
      expect(logs).toEqual([expect.stringContaining('shown')]);
    });

    test('during init the request id is empty', async () => {
      const { logs } = await outputOf('pass', {}, `${LOGGING}\nlogger.warning("loading")`);
      expect(logs).toEqual([expect.stringMatching(`^\\[WARNING\\]\t${TIME}\t\tloading$`)]);
    });

    test('a level or a format that the function sets wins', async () => {
      const { logs } = await outputOf(
        'root = logging.getLogger()\nroot.setLevel("DEBUG")\n' +
          'root.handlers[0].setFormatter(logging.Formatter("%(aws_request_id)s %(message)s"))\n' +
          'logger.debug("mine")',
      );
      expect(logs).toEqual([`${REQUEST_ID} mine`]);
    });

    test('the root handler is the only one, and basicConfig leaves it alone', async () => {
      const source = `${LOGGING}
logging.basicConfig(format="other %(message)s")
def handler(event, context):
    return [type(h).__name__ for h in logging.getLogger().handlers]
`;
      const launched = await functions.serve(source);
      expect(answerOf(await launched.invoke({}))).toEqual(['LambdaLoggerHandler']);
    });

    test('an exception is logged with its stack trace as one event', async () => {
      const { logs } = await outputOf(
        'try:\n    1 / 0\nexcept ZeroDivisionError:\n    logger.exception("oops")',
      );
      expect(logs).toHaveLength(1);
      expect(logs[0]).toMatch(/oops\nTraceback \(most recent call last\):\n[^]*ZeroDivisionError/);
    });

    test('context.log writes as it is', async () => {
      const { logs } = await outputOf('context.log("plain\\ntext\\n")\ncontext.log(5)', {}, '');
      expect(logs).toEqual(['plain\ntext', '5']);
    });
  });

  describe('an error that the handler throws', () => {
    test('is one event with no-break spaces in front of the lines of its trace', async () => {
      const source = 'def handler(event, context):\n    raise ValueError("bad\\nvalue")\n';
      const launched = await functions.serve(source);
      const error = errorOf(await launched.invoke({}));
      const frame = `File "${launched.taskRoot}/app.py", line 2, in handler`;
      const code = 'raise ValueError("bad\\nvalue")';
      expect(error.body).toEqual({
        errorMessage: 'bad\nvalue',
        errorType: 'ValueError',
        requestId: REQUEST_ID,
        stackTrace: [`  ${frame}\n    ${code}\n`],
      });
      await finish(launched);
      expect(launched.logs).toEqual([
        expect.objectContaining({
          level: 'ERROR',
          message: `[ERROR] ValueError: bad\nvalue\nTraceback (most recent call last):\n${NBSP.repeat(2)}${frame}\n${NBSP.repeat(4)}${code}`,
        }),
      ]);
    });

    test('without a message has no colon', async () => {
      const { logs } = await outputOf('raise KeyError()');
      expect(logs[0]).toMatch(/^\[ERROR\] KeyError\nTraceback/);
    });

    test('is a JSON object under the JSON format', async () => {
      const { events } = await outputOf('raise ValueError("é")', { AWS_LAMBDA_LOG_FORMAT: 'JSON' });
      expect(events.map(({ level, format }) => [level, format])).toEqual([['ERROR', 'json']]);
      expect(JSON.parse(events[0]?.message ?? '')).toEqual({
        timestamp: expect.stringMatching(`^${TIME}$`),
        level: 'ERROR',
        errorMessage: 'é',
        errorType: 'ValueError',
        requestId: REQUEST_ID,
        stackTrace: [expect.stringContaining('in handler')],
      });
    });
  });

  describe('JSON', () => {
    const environment = { AWS_LAMBDA_LOG_FORMAT: 'JSON', AWS_LAMBDA_LOG_LEVEL: 'INFO' };

    test('a record has its fields, and those that the function adds', async () => {
      const { events } = await outputOf(
        'logger.debug("no")\nlogger.info("é %s", 1, extra={"order": {"id": 7}, "odd": object()})',
        environment,
      );
      expect(events).toHaveLength(1);
      expect(events[0]).toMatchObject({ level: 'INFO', format: 'json' });
      const record: unknown = JSON.parse(events[0]?.message ?? '');
      expect(record).toEqual({
        timestamp: expect.stringMatching(`^${TIME}$`),
        level: 'INFO',
        message: 'é 1',
        logger: 'my.name',
        requestId: REQUEST_ID,
        order: { id: 7 },
        odd: expect.stringContaining('<object object'),
      });
      expect(Object.keys(Object(record)).slice(0, 5)).toEqual([
        'timestamp',
        'level',
        'message',
        'logger',
        'requestId',
      ]);
    });

    test('an exception adds its type, text, trace and the place of the call', async () => {
      const { events } = await outputOf(
        'try:\n    1 / 0\nexcept ZeroDivisionError:\n    logger.exception("oops")',
        environment,
      );
      expect(events.map(({ level }) => level)).toEqual(['ERROR']);
      expect(JSON.parse(events[0]?.message ?? '')).toMatchObject({
        level: 'ERROR',
        message: 'oops',
        errorType: 'ZeroDivisionError',
        errorMessage: 'division by zero',
        stackTrace: [expect.stringMatching(/app\.py", line \d+, in handler/)],
        location: expect.stringMatching(/app\.py:handler:\d+$/),
      });
    });

    test.each([
      ['TRACE', ['DEBUG', 'INFO', 'WARNING']],
      ['DEBUG', ['DEBUG', 'INFO', 'WARNING']],
      ['WARN', ['WARNING']],
      ['FATAL', []],
    ])('the level %s filters', async (level, shown) => {
      const { logs } = await outputOf('logger.debug("1")\nlogger.info("2")\nlogger.warning("3")', {
        AWS_LAMBDA_LOG_FORMAT: 'json',
        AWS_LAMBDA_LOG_LEVEL: level,
      });
      expect(logs.map((line) => JSON.parse(line).level)).toEqual(shown);
    });

    test('warnings of the platform are objects too', async () => {
      const launched = await functions.serve('def handler(event, context): pass', {
        environment,
        warnings: ['an "old" interpreter'],
      });
      await finish(launched);
      expect(launched.logs.map(({ message }) => JSON.parse(message))).toEqual([
        { timestamp: expect.any(String), level: 'WARN', message: 'an "old" interpreter' },
      ]);
    });

    test('print stays as it is', async () => {
      const { stdout, logs } = await outputOf('print("plain")', environment, '');
      expect([stdout, logs]).toEqual(['plain\n', []]);
    });
  });

  test('warnings of the platform come first, as lines of their own level', async () => {
    const launched = await functions.serve(`${LOGGING}\nlogger.error("mine")\nhandler = print`, {
      warnings: ['first', 'second'],
    });
    await finish(launched);
    expect(launched.logs).toMatchObject([
      { level: 'WARN', message: expect.stringMatching(`^\\[WARN\\]\t${TIME}\t\tfirst$`) },
      { level: 'WARN', message: expect.stringMatching(`^\\[WARN\\]\t${TIME}\t\tsecond$`) },
      { message: expect.stringContaining('mine') },
    ]);
  });

  describe('standard output', () => {
    test('prints are written when their line ends, also before a hard exit', async () => {
      const source =
        'import os\ndef handler(event, context):\n    print("seen")\n    print("é")\n    os._exit(4)\n';
      const launched = await functions.serve(source);
      await expect(launched.invoke({})).rejects.toThrow('closed its channel');
      expect((await launched.exited).code).toBe(4);
      expect(await launched.stdout()).toBe('seen\né\n');
    });

    test('what no line break ends is written before the answer', async () => {
      const { stdout, stderr } = await outputOf(
        'import sys\nprint("part", end="")\nsys.stderr.write("err")\n',
        {},
        '',
      );
      expect([stdout, stderr]).toEqual(['part', 'err']);
    });

    test.each(['sys.stdout = None', 'sys.stdout.close()', 'sys.stdout = object()'])(
      'a function that does `%s` still answers',
      async (statement) => {
        const source = `import sys\ndef handler(event, context):\n    ${statement}\n    return 1\n`;
        const launched = await functions.serve(source);
        expect(answerOf(await launched.invoke({}))).toBe(1);
      },
    );
  });

  test('a signal handler that logs while its own thread logs tears no event apart', async () => {
    const source = `
import logging, signal
def handler(event, context):
    log = logging.getLogger().warning
    signals = 0
    def on_alarm(*_):
        nonlocal signals
        signals += 1
        log("alarm " + "y" * 100)
    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    for _ in range(3000):
        log("line " + "x" * 3000)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return signals
`;
    const launched = await functions.serve(source);
    const signals = answerOf(await launched.invoke({}));
    const { logs } = await finish(launched);
    expect(signals).toBeGreaterThan(0);
    expect(logs.filter((line) => /\tline x{3000}$/.test(line))).toHaveLength(3000);
    expect(logs.filter((line) => /\talarm y{100}$/.test(line))).toHaveLength(Number(signals));
  });

  test('threads that log at the same time tear no event apart', async () => {
    const source = `
import logging, threading
def handler(event, context):
    def work(name):
        for _ in range(200):
            logging.getLogger().warning(name * 5000)
    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
`;
    const launched = await functions.serve(source);
    await launched.invoke({});
    const { logs } = await finish(launched);
    expect(logs.filter((line) => /\t(a{5000}|b{5000}|c{5000}|d{5000})$/.test(line))).toHaveLength(
      800,
    );
    expect(logs).toHaveLength(800);
  });
});
