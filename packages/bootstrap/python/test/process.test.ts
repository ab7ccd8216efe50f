import { describe, expect, test } from 'vitest';
import { answerOf, errorOf } from '../../contract/answers.ts';
import type { RuntimeExit } from '../../contract/launched-runtime.ts';
import { describePythons } from './python-under-test.ts';
import { finish, PythonFunctions } from './serve-module.ts';

describePythons((python) => {
  const functions = new PythonFunctions(python);

  /** How the process ends in an event; `body` are the lines of a handler. */
  async function endOf(body: string) {
    const source = `import atexit, os, signal, sys, threading, time\n${handlerOf(body)}`;
    const launched = await functions.serve(source);
    await expect(launched.invoke({})).rejects.toMatchObject({
      name: 'RuntimeGoneError',
      protocolViolation: undefined,
    });
    const exit = await launched.exited;
    return { exit, stdout: await launched.stdout(), stderr: await launched.stderr() };
  }

  describe('the environment', () => {
    test('is seen by programs that the function starts', async () => {
      const result = await functions.evaluate(
        'subprocess.run(["/bin/sh", "-c", "echo $MINE; env | grep -c HEARTH"], stdout=subprocess.PIPE, text=True).stdout',
        { imports: 'import subprocess', init: { environment: { MINE: 'here' } } },
      );
      expect(answerOf(result)).toBe('here\n0\n');
    });

    test('sets the time zone of the C library', async () => {
      const result = await functions.evaluate(
        '[time.tzname, time.localtime(0).tm_hour, datetime.datetime.fromtimestamp(0).hour]',
        { imports: 'import time, datetime', init: { environment: { TZ: 'EST5EDT' } } },
      );
      expect(answerOf(result)).toEqual([['EST', 'EDT'], 19, 19]);
    });

    test('is there before the module is loaded, and so is the working folder', async () => {
      const source = `import os\nLOADED = [os.environ["MINE"], os.getcwd()]\n${handlerOf('return LOADED')}`;
      const launched = await functions.serve(source, { environment: { MINE: 'here' } });
      expect(answerOf(await launched.invoke({}))).toEqual(['here', launched.taskRoot]);
    });
  });

  test('the module path starts with the task root and holds nothing of the bootstrap', async () => {
    const launched = await functions.serve(`import sys\n${handlerOf('return sys.path')}`);
    const path = answerOf(await launched.invoke({}));
    expect(path).toEqual(expect.arrayContaining([launched.taskRoot]));
    expect(JSON.stringify(path)).not.toContain('bootstrap');
  });

  test('text is UTF-8 whatever the locale', async () => {
    const launched = await functions.serve(
      `import sys\n${handlerOf('print("é\u{1F525}")\nreturn [sys.stdout.encoding, open(__file__).encoding.lower()]')}`,
    );
    expect(answerOf(await launched.invoke({}))).toEqual(['utf-8', 'utf-8']);
    expect((await finish(launched)).stdout).toBe('é\u{1F525}\n');
  });

  describe('a handler that ends the process', () => {
    test.each([
      ['sys.exit()', 0],
      ['sys.exit(0)', 0],
      ['sys.exit(3)', 3],
      ['sys.exit(True)', 1],
      ['sys.exit(256 + 9)', 9],
      ['raise SystemExit(5)', 5],
      ['os._exit(7)', 7],
    ])('by %s ends with status %d', async (statement, code) => {
      expect((await endOf(statement)).exit).toEqual(exited(code));
    });

    test('with a text: it is printed, and the status is 1', async () => {
      const { exit, stderr } = await endOf('sys.exit("gave up")');
      expect([exit, stderr]).toEqual([exited(1), 'gave up\n']);
    });

    test('runs its exit handlers and writes what it printed, but waits for no thread', async () => {
      const { exit, stdout } = await endOf(
        'threading.Thread(target=lambda: time.sleep(3600)).start()\n' +
          'atexit.register(lambda: print("bye"))\nprint("part", end=" ")\nsys.exit(2)',
      );
      expect([exit, stdout]).toEqual([exited(2), 'part bye\n']);
    });

    test('by an exception that is no Exception prints its trace, and the status is 1', async () => {
      const { exit, stderr } = await endOf(
        'class Stop(BaseException): pass\nraise Stop("base of all")',
      );
      expect(exit).toEqual(exited(1));
      expect(stderr).toMatch(/Traceback [^]*Stop: base of all\n$/);
    });

    test('by KeyboardInterrupt ends by SIGINT, as any Python program', async () => {
      const { exit, stderr } = await endOf('raise KeyboardInterrupt');
      expect(exit).toEqual({ code: undefined, signal: 'SIGINT' });
      expect(stderr).toContain('KeyboardInterrupt');
    });

    test.each(['SIGTERM', 'SIGKILL', 'SIGSEGV'])('by %s ends by it', async (signal) => {
      const { exit } = await endOf(`os.kill(os.getpid(), signal.${signal})\ntime.sleep(60)`);
      expect(exit).toEqual({ code: undefined, signal });
    });
  });

  describe('errors of odd shapes are answered', () => {
    test.each([
      [
        'whose text cannot be had',
        'class Odd(Exception):\n    def __str__(self): raise RuntimeError\nraise Odd()',
        { errorType: 'Odd', errorMessage: '<exception str() failed>' },
      ],
      [
        'whose class has no name to be had',
        'class Meta(type):\n    @property\n    def __name__(cls): raise RuntimeError\n' +
          'class Odd(Exception, metaclass=Meta): pass\nraise Odd("text")',
        { errorType: 'Exception', errorMessage: 'text' },
      ],
      [
        'with half a surrogate pair',
        'raise ValueError("\\ud800")',
        { errorType: 'ValueError', errorMessage: '\ud800' },
      ],
      ['without a text', 'raise KeyError', { errorType: 'KeyError', errorMessage: '' }],
      [
        'with a chain of 100,000 causes',
        'error = None\nfor i in range(100_000):\n' +
          '    error, cause = ValueError(i), error\n    error.__cause__ = cause\nraise error',
        { errorType: 'ValueError', errorMessage: '99999' },
      ],
      [
        'with attributes that lie',
        'class Odd(Exception):\n    errorType = message = args = None\n' +
          '    __module__ = 5\nraise Odd("x")',
        { errorType: 'Odd' },
      ],
    ])('%s', async (_, body, expected) => {
      const launched = await functions.serve(handlerOf(body));
      const error = errorOf(await launched.invoke({}));
      expect(error.body).toMatchObject(expected);
      expect(error.errorType).toBe(expected.errorType);
      expect((await launched.invoke({})).kind).toBe('error');
    });

    test('a recursion without end folds its trace', async () => {
      const launched = await functions.serve(handlerOf('return handler(event, context)'));
      const { body } = errorOf(await launched.invoke({}));
      expect(body['errorType']).toBe('RecursionError');
      expect(body['stackTrace']).toEqual(
        expect.arrayContaining([
          expect.stringMatching(/^ {2}\[Previous line repeated \d+ more times\]\n$/),
        ]),
      );
    });

    test('even where the function has used up all file descriptors', async () => {
      const body =
        'import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n' +
        'while True: os.open("/dev/null", os.O_RDONLY)';
      const launched = await functions.serve(`import os, resource\n${handlerOf(body)}`);
      for (let event = 0; event < 2; event += 1) {
        expect(errorOf(await launched.invoke({})).body).toEqual({
          errorMessage: "[Errno 24] Too many open files: '/dev/null'",
          errorType: 'OSError',
          requestId: '6bc28136-xmpl-4365-b021-0ce6b2e64ab0',
          stackTrace: [expect.stringContaining('in handler')],
        });
      }
    });

    test('a handler that takes no arguments', async () => {
      const launched = await functions.serve('def handler():\n    pass\n');
      expect(errorOf(await launched.invoke({})).body).toMatchObject({
        errorType: 'TypeError',
        errorMessage: 'handler() takes 0 positional arguments but 2 were given',
        stackTrace: [],
      });
    });

    test('a handler that is no function', async () => {
      const launched = await functions.serve('handler = 5\n');
      expect(errorOf(await launched.invoke({})).body).toMatchObject({
        errorType: 'TypeError',
        errorMessage: "'int' object is not callable",
      });
    });

    test('an import inside the handler keeps its own error type', async () => {
      const launched = await functions.serve(handlerOf('import nothing_like_it'));
      expect(errorOf(await launched.invoke({})).body).toMatchObject({
        errorType: 'ModuleNotFoundError',
        errorMessage: "No module named 'nothing_like_it'",
      });
    });
  });

  describe('a forked child', () => {
    const STATUS = 'return os.WEXITSTATUS(os.waitpid(pid, 0)[1])';

    test.each([
      ['that returns from the handler', 'return "child"', 0],
      ['that raises', 'raise ValueError("in the child")', 1],
      ['that exits', 'sys.exit(6)', 6],
      ['that exits hard', 'os._exit(7)', 7],
    ])('%s does not answer for its parent', async (_, child, status) => {
      const launched = await functions.serve(forkingHandler(child, STATUS));
      expect(answerOf(await launched.invoke({}))).toBe(status);
      expect(answerOf(await launched.invoke({}))).toBe(status);
    });

    test('does not keep the channel open when its parent is gone', async () => {
      const launched = await functions.serve(
        forkingHandler('time.sleep(3600)', 'context.log(pid)\nos._exit(3)'),
      );
      const [ended, log] = await Promise.allSettled([launched.invoke({}), launched.logged('')]);
      // The child is alive all the while: only now is it ended.
      if (log.status === 'fulfilled') process.kill(Number(log.value.message), 'SIGKILL');
      expect(ended).toMatchObject({ status: 'rejected', reason: { name: 'RuntimeGoneError' } });
      expect(await launched.exited).toEqual({ code: 3, signal: undefined });
    });

    test('logs lines on standard output, outside the frames of its parent', async () => {
      const launched = await functions.serve(
        forkingHandler('logging.getLogger().error("from the child"); os._exit(0)', STATUS),
      );
      await launched.invoke({});
      const { stdout, logs } = await finish(launched);
      expect(stdout).toMatch(/^\[ERROR\]\t\S+\t\S+\tfrom the child\n$/);
      expect(logs).toEqual([]);
    });

    test('of a child does not lose a descriptor that took the number of the channel', async () => {
      const launched = await functions.serve(
        forkingHandler(
          'fd = os.open("/dev/null", os.O_RDONLY); grandchild = os.fork(); ' +
            'os._exit(fd if grandchild else (os.fstat(fd) and 0))',
          STATUS,
        ),
      );
      expect(answerOf(await launched.invoke({}))).toBe(3);
    });
  });

  test.each(['fork', 'spawn', 'forkserver'])('multiprocessing works by %s', async (method) => {
    const source = `
import multiprocessing, os
def work(connection, value):
    connection.send([value, os.environ["MINE"]])
def handler(event, context):
    context = multiprocessing.get_context("${method}")
    here, there = context.Pipe()
    process = context.Process(target=work, args=(there, event))
    process.start()
    answer = here.recv()
    process.join()
    return answer
`;
    const launched = await functions.serve(source, { environment: { MINE: 'x' } });
    expect(answerOf(await launched.invoke('value'))).toEqual(['value', 'x']);
    expect((await finish(launched)).stderr).toBe('');
  });

  test('threads and an event loop that are left open harm neither later events nor the end', async () => {
    const source = `
import asyncio, threading, time
async def answer():
    await asyncio.sleep(0)
    return threading.active_count() > 1
def handler(event, context):
    threading.Thread(target=lambda: time.sleep(3600)).start()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.create_task(asyncio.sleep(3600))
    return loop.run_until_complete(answer())
`;
    const launched = await functions.serve(source);
    expect(answerOf(await launched.invoke({}))).toBe(true);
    expect(answerOf(await launched.invoke({}))).toBe(true);
    await finish(launched);
    expect(await launched.exited).toEqual({ code: 0, signal: undefined });
  });

  test('the trace id of an event is there while it has one, even where the handler changes it', async () => {
    const launched = await functions.serve(
      `import os\n${handlerOf('seen = os.environ.get("_X_AMZN_TRACE_ID")\nos.environ["_X_AMZN_TRACE_ID"] = "mine"\nreturn seen')}`,
    );
    expect(answerOf(await launched.invoke({}, { traceId: 'Root=1' }))).toBe('Root=1');
    expect(answerOf(await launched.invoke({}))).toBe(null);
    expect(answerOf(await launched.invoke({}, { traceId: 'Root=2' }))).toBe('Root=2');
  });
});

function exited(code: number): RuntimeExit {
  return { code, signal: undefined };
}

/** Source of a handler that forks: one line for the child, lines for its parent. */
function forkingHandler(child: string, parent: string): string {
  return `import logging, os, sys, time
${handlerOf(`pid = os.fork()\nif pid == 0:\n    ${child}\n${parent}`)}`;
}

/** Source of a handler of these lines. */
function handlerOf(body: string): string {
  return `def handler(event, context):\n${body.replaceAll(/^/gm, '    ')}\n`;
}
