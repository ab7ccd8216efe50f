import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { chmod, cp, mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SystemClock } from '../../clock/system-clock.ts';
import type { RuntimeInit } from '../../runtime-api/runtime-session.ts';
import { openNamespaceDriver } from '../../sandbox/namespace/namespace-driver.ts';
import type { GuestPaths, SandboxDriver } from '../../sandbox/sandbox.ts';
import type { CallEnd } from '../guest/guest.ts';
import { startWorker, type Worker, type WorkerKind } from './worker.ts';

const PYTHON = '/usr/bin/python3';
const BOOTSTRAP = join(import.meta.dirname, '../../../../bootstrap/python');
const NEVER = new AbortController().signal;
const LIMIT_MS = 20_000;

const obstacle =
  process.platform !== 'linux' || process.getuid?.() !== 0 || !existsSync(PYTHON)
    ? `needs root on Linux and ${PYTHON}`
    : undefined;

const LOOK = `
import os, sys
BEFORE = sorted(sys.modules)
import importlib.util
FOUND = importlib.util.find_spec("html")
import csv, email, gc, hashlib, json, logging, queue, random, ssl, tempfile, threading, uuid

def read(name):
    with open("/proc/self/" + name) as file:
        return file.read()

def handler(event, context):
    return {
        "before": BEFORE,
        "parent": os.getppid(),
        "environ": read("environ"), "cmdline": read("cmdline"), "maps": read("maps"),
        "exe": os.readlink("/proc/self/exe"), "executable": sys.executable,
        "variables": dict(os.environ),
        "descriptors": sorted(os.listdir("/proc/self/fd"))[:5],
        "random": [random.random(), str(uuid.uuid4()), next(tempfile._get_candidate_names())],
        "found": [FOUND.origin, FOUND.loader.is_package("html"), "html" in sys.modules],
        "reloaded": importlib.reload(json) is json and json.loads("1"),
        "own": [email.__file__, csv.__file__], "library": json.__file__,
        "collects": gc.isenabled(),
        "thread": threading.current_thread() is threading.main_thread(),
        "handlers": len(logging.getLogger().handlers),
        "shadowed": sorted(name for name in sys.modules if name.startswith("email.")),
    }
`;

const LIBRARY = `
import ctypes
own = ctypes.CDLL("libown.so")
own.cos.restype = ctypes.c_double
own.cos.argtypes = (ctypes.c_double,)
def handler(event, context):
    return own.cos(0.0)
`;

describe.skipIf(obstacle !== undefined)(
  `a forked Python worker (${obstacle ?? 'from a zygote'})`,
  () => {
    let folder: string;
    let driver: SandboxDriver;
    let kind: WorkerKind;
    const faults: string[] = [];

    beforeAll(async () => {
      folder = mkdtempSync(join(realpathSync(tmpdir()), 'hearth-forked-'));
      await chmod(folder, 0o755);
      for (const name of ['data', 'task']) await mkdir(join(folder, name));
      await cp(BOOTSTRAP, join(folder, 'runtime'), { recursive: true });
      await writeFile(join(folder, 'task', 'app.py'), LOOK);
      await mkdir(join(folder, 'task', 'lib'));
      await cp(mathematics(), join(folder, 'task', 'lib', 'libown.so'));
      await writeFile(join(folder, 'task', 'library.py'), LIBRARY);
      await writeFile(join(folder, 'task', 'email.py'), 'OWN = True\n');
      await writeFile(join(folder, 'task', 'csv.py'), 'OWN = True\n');
      ({ driver } = await openNamespaceDriver(join(folder, 'data'), {
        onFault: (what, cause) => faults.push(`${what}: ${String(cause)}`),
      }));
      const program = realpathSync(PYTHON).replace('/usr/', '');
      kind = {
        key: 'python',
        directories: { runtime: join(folder, 'runtime'), language: '/usr' },
        likely: { memoryMb: 128, ephemeralStorageMb: 16 },
        command: (paths: GuestPaths) => ({
          argv: [`${paths.language}/${program}`, '-s', '-B', `${paths.runtime}/bootstrap.py`],
          environment: {
            _HEARTH_PREPARE: '1',
            _HEARTH_CHANNEL_FD: '3',
            LD_LIBRARY_PATH: `${paths.task}/lib:${paths.opt}/lib`,
          },
          cwd: '/',
          descriptors: 'channel',
          forkable: true,
        }),
      };
    });
    afterAll(async () => {
      await driver?.[Symbol.asyncDispose]();
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    });

    async function serve(handler: string): Promise<Worker> {
      const worker = await startWorker(
        kind,
        driver,
        (socket) => socket.destroy(),
        new SystemClock(),
        NEVER,
      );
      await worker.sandbox.assign({
        task: join(folder, 'task'),
        memoryMb: 128,
        ephemeralStorageMb: 16,
      });
      const init: RuntimeInit = {
        handler,
        taskRoot: worker.sandbox.paths.task,
        optRoot: worker.sandbox.paths.opt,
        runtime: 'python3.12',
        environment: { PATH: '/usr/bin:/bin', GIVEN: 'yes' },
        functionName: 'look',
        functionVersion: '$LATEST',
        memoryLimitInMB: '128',
        logGroupName: 'group',
        logStreamName: 'stream',
        warnings: [],
      };
      expect(await worker.guest.init(init, LIMIT_MS)).toEqual({ kind: 'ready' });
      return worker;
    }

    async function look(): Promise<Record<string, unknown>> {
      const { guest } = await serve('app.handler');
      return answerOf(await guest.invoke(event(), LIMIT_MS));
    }

    test('is like one that was executed, and unlike the next one where it must be', async () => {
      const [one, two] = [await look(), await look()];
      expect(one).toMatchObject({
        // Outside: the zygote.
        parent: 0,
        exe: expect.stringMatching(/^\/var\/lang\/bin\/python3/),
        executable: expect.stringMatching(/^\/var\/lang\/bin\/python3/),
        variables: { PATH: '/usr/bin:/bin', GIVEN: 'yes' },
        descriptors: ['0', '1', '2', '3', expect.any(String)],
        own: ['/var/task/email.py', '/var/task/csv.py'],
        found: [expect.stringMatching(/\/html\/__init__\.py$/), true, false],
        reloaded: 1,
        shadowed: [],
        collects: true,
        thread: true,
        handlers: 1,
      });
      expect(String(one['environ']).split('\0').sort()).toEqual(
        [
          '',
          'LD_LIBRARY_PATH=/var/task/lib:/opt/lib',
          'PWD=/',
          '_HEARTH_CHANNEL_FD=3',
          '_HEARTH_PREPARE=1',
        ].sort(),
      );
      expect(String(one['cmdline'])).toMatch(
        /^\/var\/lang\/bin\/python3\S*\0-s\0-B\0\/var\/runtime/,
      );
      const numbers = [one, two].flatMap(({ random }) => random);
      expect(new Set(numbers).size).toBe(6);
      expect(faults).toEqual([]);
    });

    test('shows no path of the host among what it has mapped', async () => {
      const { maps } = await look();
      const paths = String(maps)
        .split('\n')
        .map((line) => /\s(\/.*)$/.exec(line)?.[1])
        .filter((path) => path !== undefined);
      const strange = paths.filter((path) => !/^\/(var\/lang|usr|lib|dev\/zero)/.test(path));
      expect(strange).toEqual([]);
    });

    test("loads libraries of the function's own", async () => {
      const { guest } = await serve('library.handler');
      expect(answerOf(await guest.invoke(event(), LIMIT_MS))).toBe(1);
    });

    test('has no module loaded that would hide one of the function', async () => {
      const { before } = await look();
      for (const name of ['ctypes', 'email', 'json', 'logging', 'queue', 'random', 'ssl', 'uuid']) {
        expect(before).not.toContain(name);
      }
    });
  },
);

function event() {
  return {
    requestId: '6bc28136-xmpl-4365-b021-0ce6b2e64ab0',
    deadlineMs: Date.now() + LIMIT_MS,
    invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:look',
    payload: Buffer.from('{}'),
  };
}

/** A library that this process uses: that of mathematical functions. */
function mathematics(): string {
  const path = /\s(\/\S*\/libm[.-]\S*)$/m.exec(readFileSync('/proc/self/maps', 'utf8'))?.[1];
  if (path === undefined) throw new Error('Expected Node.js to use libm');
  return path;
}

function answerOf(end: CallEnd) {
  if (end.kind !== 'response') throw new Error(`Expected a response: ${JSON.stringify(end)}`);
  return JSON.parse(Buffer.from(end.payload).toString());
}
