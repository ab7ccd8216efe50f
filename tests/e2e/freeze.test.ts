import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { environmentsOf, PATIENCE, transitionsOf } from '../support/environments.ts';
import { deploy, invoke } from '../support/function.ts';
import { findPython } from '../support/python.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const python = await findPython();

/**
 * Both functions leave three things behind that never rest: a timer of 1 ms, a thread that spins, and
 * a process of its own that sends through a socket every millisecond. Each notes the milliseconds in
 * which it ran. The event names a span of time; the answer is how often each ran in it, and comes
 * when all three have run again.
 */
const NODE = {
  'index.js': `
    const { spawn } = require('node:child_process');
    const { createServer } = require('node:net');
    const { Worker } = require('node:worker_threads');
    const RING = 65536;
    const marks = () => new Uint32Array(new SharedArrayBuffer(4 * RING));
    const left = { timer: marks(), thread: marks(), socket: marks() };
    const mark = (ring, now) => { ring[now % RING] = now % 2 ** 32; };
    setInterval(() => mark(left.timer, Date.now()), 1);
    new Worker(
      'const ring = require("node:worker_threads").workerData;' +
      'for (;;) { const now = Date.now(); ring[now % ' + RING + '] = now % 2 ** 32; }',
      { eval: true, workerData: left.thread },
    );
    const server = createServer((socket) => {
      socket.on('data', () => mark(left.socket, Date.now()));
    }).listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      spawn(process.execPath, ['-e',
        'const s = require("node:net").connect(' + port + ', "127.0.0.1");' +
        'setInterval(() => s.write("x"), 1)'], { stdio: 'ignore' });
    });
    const runs = (ring, from, to) => {
      let count = 0;
      for (let at = from; at < to; at += 1) if (ring[at % RING] === at % 2 ** 32) count += 1;
      return count;
    };
    const within = (from, to) =>
      Object.fromEntries(Object.entries(left).map(([name, ring]) => [name, runs(ring, from, to)]));
    exports.handler = async ({ from = 0, to = 0 }) => {
      const started = Date.now();
      while (Object.values(within(started, Date.now() + 1)).includes(0)) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      return within(from, to);
    };`,
};

const PYTHON = {
  'index.py': `
import socket, subprocess, sys, threading, time

left = {"timer": set(), "thread": set(), "socket": set()}

def now():
    return int(time.time() * 1000)

def timer():
    while True:
        time.sleep(0.001)
        left["timer"].add(now())

def spin():
    while True:
        left["thread"].add(now())

server = socket.create_server(("127.0.0.1", 0))

def receive():
    connection, _ = server.accept()
    while connection.recv(64):
        left["socket"].add(now())

SEND = """
import socket, sys, time
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
while True:
    s.sendall(b"x")
    time.sleep(0.001)
"""
for run in (timer, spin, receive):
    threading.Thread(target=run, daemon=True).start()
subprocess.Popen([sys.executable, "-c", SEND, str(server.getsockname()[1])])

def within(start, end):
    return {name: sum(1 for at in list(runs) if start <= at < end) for name, runs in left.items()}

def handler(event, context):
    started = now()
    while 0 in within(started, now() + 1).values():
        time.sleep(0.001)
    return within(event.get("from", 0), event.get("to", 0))
`,
};

const FUNCTIONS = [
  { language: 'Node.js', files: NODE, runtime: 'nodejs24.x', obstacle: undefined },
  {
    language: 'Python',
    files: PYTHON,
    runtime: 'python3.12',
    obstacle: python === undefined ? 'no Python 3.9 or newer on PATH' : undefined,
  },
] as const;

/** How long the environment is left alone, and how long after the freeze the last of it may run. */
const PAUSE_MS = 300;
const FREEZE_MS = 25;

describe.each(['auto', 'process'] as const)(
  'between two events, with the sandbox %s',
  (sandbox) => {
    let server: TestServer;

    beforeAll(async () => {
      server = await startTestServer({ sandbox });
      await deploy(server.client, 'pause', {
        'index.js': `exports.handler = async () => {
        await new Promise((resolve) => setTimeout(resolve, ${PAUSE_MS}));
        return 'paused';
      };`,
      });
    });

    afterAll(() => server[Symbol.asyncDispose]());

    test.for(FUNCTIONS)(
      'D44 a timer, a busy thread and a socket of $language stand still until the next one',
      async ({ files, runtime, obstacle }, context) => {
        context.skip(obstacle !== undefined, obstacle);
        const name = `restless-${runtime.slice(0, 6)}`;
        await deploy(server.client, name, files, {
          Runtime: runtime,
          MemorySize: 1_769,
          Timeout: 30,
        });
        const began = Date.now();
        await invoke(server.client, name);
        await expect
          .poll(
            async () => (await environmentsOf(server, name)).map(({ state }) => state.kind),
            PATIENCE,
          )
          .toEqual(['frozen']);
        expect((await invoke(server.client, 'pause')).result).toBe('paused');
        const [environment] = await environmentsOf(server, name);
        const transitions = await transitionsOf(server, environment?.id ?? '');
        const frozen = transitions.findLast(({ event }) => event.kind === 'frozen');
        const frozenAt = Math.ceil(frozen?.timeMs ?? 0);

        // Before the freeze all three ran, so that they would be seen after it.
        const { result: before } = await invoke(server.client, name, { from: began, to: frozenAt });
        const standing = { from: frozenAt + FREEZE_MS, to: frozenAt + PAUSE_MS };
        const { result: meanwhile } = await invoke(server.client, name, standing);
        for (const count of Object.values(before as object)) expect(count).toBeGreaterThan(0);
        expect(meanwhile).toEqual({ timer: 0, thread: 0, socket: 0 });
        expect(await environmentsOf(server, name)).toHaveLength(1);
      },
    );
  },
);
