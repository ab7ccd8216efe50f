import { once } from 'node:events';
import { mkdtemp, readdir, rm, watch, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { invoke, invokeWithLog } from '../support/function.ts';
import { HostileServer, MARK_PY, processesOfUser, userOf } from '../support/hostile-server.ts';

/** Children that each open as much as they may and hold it until the event is over. */
const SOCKETS_PY = `
import os, signal, socket, urllib.parse
${MARK_PY}
CHILDREN = 12

def pairs():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    kept = [listener]
    try:
        while True:
            kept.append(socket.create_connection(listener.getsockname()))
            kept.append(listener.accept()[0])
    except OSError as error:
        return kept, error.errno

def connections(endpoint):
    kept = []
    try:
        while len(kept) < 1000:
            kept.append(socket.create_connection((endpoint.hostname, endpoint.port), timeout=1))
    except OSError as error:
        return kept, error.errno or 0
    return kept, 0

def child(report, hold, event):
    kept, errno = connections(urllib.parse.urlsplit(event["to"])) if event.get("to") else pairs()
    os.write(report, b"%d %d\\n" % (len(kept), errno))
    os.read(hold, 1)
    os._exit(0)

def handler(event, context):
    mark(context.function_name)
    if event.get("endpoint"):
        event["to"] = os.environ["AWS_ENDPOINT_URL"]
    if event.get("api"):
        event["to"] = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"]
    report, reported = os.pipe()
    hold, held = os.pipe()
    for _ in range(CHILDREN):
        if os.fork() == 0:
            os.close(held)
            child(reported, hold, event)
    os.close(reported)
    counts = []
    with os.fdopen(report) as lines:
        for _ in range(CHILDREN):
            counts.append([int(part) for part in lines.readline().split()])
    if event.get("keep"):
        return counts
    os.close(held)
    for _ in range(CHILDREN):
        os.wait()
    return counts
`;

const INOTIFY_PY = `
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)

def watches(instance):
    count = 0
    for folder, folders, files in os.walk("/usr"):
        for name in folders + files:
            path = os.path.join(folder, name).encode()
            if libc.inotify_add_watch(instance, path, 0x100) >= 0:
                count += 1
            elif ctypes.get_errno() == errno.ENOSPC:
                return count, "ENOSPC"
            if count == 20_000:
                return count, None
    return count, None

def handler(event, context):
    first = libc.inotify_init1(0)
    result = watches(first)
    instances = 1
    while libc.inotify_init1(0) >= 0:
        instances += 1
    return {"instances": instances, "errno": ctypes.get_errno(), "watches": result}
`;
const EMFILE = 24;

describe('D. Exhaustion of the kernel', () => {
  let hostile: HostileServer;
  beforeAll(async () => {
    hostile = await HostileServer.open();
  });
  afterAll(async () => {
    await hostile[Symbol.asyncDispose]();
  });

  /** A new connection from outside, and a new request on it. */
  async function expectOpenDoor(): Promise<void> {
    const { port } = new URL(hostile.endpoint);
    const socket = connect(Number(port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET /_hearth/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 200 /);
    socket.destroy();
  }

  test('D45 ten thousand sockets are the concern of their environment', async (context) => {
    hostile.requires(context, 'openFiles', 'network', 'user');
    hostile.requiresPython(context);
    await hostile.deployPython('sockets', SOCKETS_PY, { MemorySize: 1_769, Timeout: 60 });
    await invoke(hostile.client, 'sockets');
    const user = await userOf('sockets');
    const sockets = await hostile.besideNeighbour(
      invoke(hostile.client, 'sockets', { keep: true }),
    );
    const counts = sockets.result as [number, number][];
    // Each process may have 1,024 descriptors; all together have more than ten thousand.
    expect(counts.every(([count, errno]) => count < 1_024 && errno === EMFILE)).toBe(true);
    expect(counts.reduce((sum, [count]) => sum + count, 0)).toBeGreaterThan(10_000);
    await expectOpenDoor();
    expect((await processesOfUser(user)).length).toBeGreaterThan(12);
    await hostile.besideNeighbour(Promise.resolve());
  });

  test.for(['endpoint', 'api'])(
    'D45 thousands of connections to the server (%s) cost it few descriptors',
    async (where, context) => {
      hostile.requires(context, 'network');
      hostile.requiresPython(context);
      const name = `connections-${where}`;
      await hostile.deployPython(name, SOCKETS_PY, { MemorySize: 1_769, Timeout: 60 });
      await invoke(hostile.client, name);
      const before = await openDescriptors();
      const flood = invoke(hostile.client, name, { [where]: true, keep: true });
      const counts = (await hostile.besideNeighbour(flood)).result as [number, number][];
      expect(counts.reduce((sum, [count]) => sum + count, 0)).toBeGreaterThan(1_000);
      expect((await openDescriptors()) - before).toBeLessThan(160);
      await expectOpenDoor();
      // Of those that are let in, none keeps the next event from being served.
      const next = await hostile.besideNeighbour(invokeWithLog(hostile.client, name, {}));
      expect(next.functionError).toBeUndefined();
    },
  );

  test('D45 inotify runs out inside only', async (context) => {
    hostile.requires(context, 'user');
    hostile.requiresPython(context);
    await hostile.deployPython('inotify', INOTIFY_PY, { MemorySize: 512 });
    await hostile.deployPython('inotify-too', INOTIFY_PY, { MemorySize: 512 });
    const limited = { instances: expect.any(Number), errno: EMFILE, watches: [20_000, null] };
    const first = await hostile.besideNeighbour(invoke(hostile.client, 'inotify'));
    expect(first.result).toEqual(limited);
    // The first environment holds all that it could get; another one gets as much.
    expect((await invoke(hostile.client, 'inotify-too')).result).toEqual(first.result);
    // So does the host.
    const folder = await mkdtemp(join(tmpdir(), 'hearth-watch-'));
    try {
      const changes = watch(folder)[Symbol.asyncIterator]();
      const change = changes.next();
      await writeFile(join(folder, 'new'), '');
      expect((await change).value).toMatchObject({ filename: 'new' });
      await changes.return?.();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

/** Of this process, which is the server. */
async function openDescriptors(): Promise<number> {
  return (await readdir('/proc/self/fd')).length;
}
