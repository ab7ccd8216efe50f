import { describe, expect, test } from 'vitest';
import { answerOf, errorOf } from '../../contract/answers.ts';
import type { FunctionFiles } from '../../contract/launched-runtime.ts';
import { describePythons } from './python-under-test.ts';
import { finish, PythonFunctions } from './serve-module.ts';

const HELLO = 'def handler(event, context):\n    return __name__\n';

describePythons((python) => {
  const functions = new PythonFunctions(python);

  async function initError(files: FunctionFiles, handler: string) {
    const { launched, result } = await functions.init(files, handler);
    const error = errorOf(result);
    expect(await launched.exited).toEqual({ code: 1, signal: undefined });
    return { ...error, taskRoot: launched.taskRoot };
  }

  describe('a handler is found', () => {
    test.each([
      ['app.handler', 'app.py', 'app'],
      ['src/app.handler', 'src/app.py', 'src.app'],
      ['src.app.handler', 'src/app.py', 'src.app'],
      ['pkg.handler', 'pkg/__init__.py', 'pkg'],
      ['my-app.handler', 'my-app.py', 'my-app'],
      ['sub/sys.handler', 'sub/sys.py', 'sub.sys'],
    ])('%s in %s', async (handler, file, moduleName) => {
      const { launched, result } = await functions.init({ [file]: HELLO }, handler);
      expect(result).toEqual({ kind: 'ready' });
      expect(answerOf(await launched.invoke({}))).toBe(moduleName);
    });

    test('in PYTHONPATH, behind the task root and the layers', async () => {
      const files = { 'lib/dep.py': 'WHERE = "lib"', 'app.py': `import dep, sys\n${PATHS}` };
      const launched = await functions.launch(files);
      const lib = `${launched.taskRoot}/lib`;
      const environment = { PYTHONPATH: `${lib}:/nowhere` };
      await launched.init({ handler: 'app.handler', runtime: python.runtime, environment });
      expect(answerOf(await launched.invoke({}))).toEqual([
        launched.taskRoot,
        `/opt/python/lib/${python.runtime}/site-packages`,
        '/opt/python',
        lib,
        '/nowhere',
      ]);
    });

    test("in a layer, of which the packages of the runtime's version come first", async () => {
      const packages = `python/lib/${python.runtime}/site-packages`;
      const launched = await functions.launch({
        'task/here.py': 'WHERE = "task"',
        [`opt/${packages}/here.py`]: 'WHERE = "packages"',
        [`opt/${packages}/both.py`]: 'WHERE = "packages"',
        'opt/python/both.py': 'WHERE = "python"',
        'opt/python/lib/python2.7/site-packages/old.py': '',
        'opt/python/own.py':
          'import both, here, importlib.util\n' +
          'def handler(event, context):\n' +
          '    return [both.WHERE, here.WHERE, importlib.util.find_spec("old") is None]\n',
      });
      const root = launched.taskRoot;
      await launched.init({
        handler: 'own.handler',
        runtime: python.runtime,
        taskRoot: `${root}/task`,
        optRoot: `${root}/opt`,
      });
      expect(answerOf(await launched.invoke({}))).toEqual(['packages', 'task', true]);
    });
  });

  describe('a handler that is not found', () => {
    test.each([
      [
        'a name without a dot',
        'app',
        'Runtime.MalformedHandlerName',
        "Bad handler 'app': not enough values to unpack (expected 2, got 1)",
      ],
      [
        'a missing module',
        'no/where.handler',
        'Runtime.ImportModuleError',
        "Unable to import module 'no/where': No module named 'no'",
      ],
      [
        'a module that imports a missing one',
        'imports.handler',
        'Runtime.ImportModuleError',
        "Unable to import module 'imports': No module named 'nothing_like_it'",
      ],
      [
        'a missing function',
        'app.nothing',
        'Runtime.HandlerNotFound',
        "Handler 'nothing' missing on module 'app'",
      ],
      [
        'no function name at all',
        'app.',
        'Runtime.HandlerNotFound',
        "Handler '' missing on module 'app'",
      ],
      [
        'a built-in module',
        'sys.exit',
        'Runtime.BuiltInModuleConflict',
        'Cannot use built-in module sys as a handler module',
      ],
    ])('%s', async (_, handler, errorType, errorMessage) => {
      const files = { 'app.py': HELLO, 'imports.py': 'import nothing_like_it', 'sys.py': HELLO };
      const error = await initError(files, handler);
      expect(error.errorType).toBe(errorType);
      expect(error.body).toEqual({ errorMessage, errorType, requestId: '', stackTrace: [] });
    });

    test('a path out of the task root is an error of the import', async () => {
      const error = await initError({ 'app.py': HELLO }, '../../etc/passwd');
      expect(error.errorType).toBe('TypeError');
    });
  });

  describe('a module that fails', () => {
    test('with a syntax error: the line is the stack trace', async () => {
      const error = await initError({ 'app.py': 'x = 1\nif x\n    pass\n' }, 'app.handler');
      expect(error.errorType).toBe('Runtime.UserCodeSyntaxError');
      expect(error.body['errorMessage']).toMatch(
        /^Syntax error in module 'app': .+ \(app\.py, line 2\)$/,
      );
      expect(error.body['stackTrace']).toEqual([
        `  File "${error.taskRoot}/app.py" Line 2\n    if x\n`,
      ]);
    });

    test('with a wrong indentation', async () => {
      const error = await initError({ 'app.py': 'def handler(e, c):\nreturn 1\n' }, 'app.handler');
      expect(error.errorType).toBe('Runtime.UserCodeSyntaxError');
    });

    test('with an error of its own: its name, its text, frames of the import and of the code', async () => {
      const source = 'def boot():\n    raise KeyError("missing")\nboot()\n';
      const error = await initError({ 'app.py': source }, 'app.handler');
      expect(error.errorType).toBe('KeyError');
      expect(error.body).toMatchObject({ errorMessage: "'missing'", requestId: '' });
      const frames = error.body['stackTrace'];
      expect(frames).toEqual(expect.arrayContaining([expect.stringContaining('import_module')]));
      expect(JSON.stringify(frames)).not.toContain('hearth_guest');
      expect(Array.isArray(frames) && frames.slice(-2)).toEqual([
        `  File "${error.taskRoot}/app.py", line 3, in <module>\n    boot()\n`,
        `  File "${error.taskRoot}/app.py", line 2, in boot\n    raise KeyError("missing")\n`,
      ]);
    });

    test('with SystemExit: the process ends with its status, and there is no init error', async () => {
      const launched = await functions.launch({ 'app.py': 'import sys\nsys.exit(3)\n' });
      const init = launched.init({ handler: 'app.handler', runtime: python.runtime });
      await expect(init).rejects.toMatchObject({ protocolViolation: undefined });
      expect(await launched.exited).toEqual({ code: 3, signal: undefined });
    });
  });

  describe('the standard library', () => {
    test.each(['logging', 'token', 'traceback', 'json', 'decimal'])(
      'wins over a file of the function that is named %s, as on AWS',
      async (name) => {
        const source = `import ${name}\ndef handler(event, context):\n    raise ValueError(hasattr(${name}, "MINE"))\n`;
        const files = { 'app.py': source, [`${name}.py`]: 'MINE = True' };
        const { launched, result } = await functions.init(files, 'app.handler');
        expect(result).toEqual({ kind: 'ready' });
        const error = errorOf(await launched.invoke({}));
        expect(error.body).toMatchObject({ errorType: 'ValueError', errorMessage: 'False' });
      },
    );

    test('loses where AWS has not loaded it: a file named secrets is found', async () => {
      const source = 'import secrets\ndef handler(event, context):\n    return secrets.MINE\n';
      const files = { 'app.py': source, 'secrets.py': 'MINE = True' };
      const { launched } = await functions.init(files, 'app.handler');
      expect(answerOf(await launched.invoke({}))).toBe(true);
    });
  });

  test('neither the code nor the bootstrap gets byte code written beside it', async () => {
    const { launched } = await functions.init(
      {
        'app.py': 'import os, dep\ndef handler(e, c):\n    return os.listdir(".")\n',
        'dep.py': '',
      },
      'app.handler',
    );
    expect(answerOf(await launched.invoke({}))).toEqual(
      expect.not.arrayContaining(['__pycache__']),
    );
    expect((await finish(launched)).stderr).toBe('');
  });
});

const PATHS = 'def handler(event, context):\n    return sys.path[:5]\n';
