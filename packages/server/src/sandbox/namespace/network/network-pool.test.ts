import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SocketKind } from '../../../system-calls/network-calls.ts';
import type { SpawnScope } from '../spawn-scope.ts';
import type { NamespaceNetwork } from './namespace-network.ts';
import {
  egressObstacle,
  NetworkBench,
  networkDescriptors,
  runInside,
  startInside,
} from './network-fixture.ts';
import { isWithoutSockets } from './network-pool.ts';
import { PlayedHost, RemoteMachine } from './played-host-fixture.ts';

const obstacle = egressObstacle();
const TOLD = obstacle ?? 'can be tested';
const PLACE_SCRIPT = `console.log(require('node:fs').readlinkSync('/proc/self/ns/net'),
  require('node:os').networkInterfaces().eth0[0].address);`;

describe.skipIf(obstacle !== undefined)(`a pool of networks (${TOLD})`, () => {
  let host: PlayedHost;
  let bench: NetworkBench;
  beforeAll(async () => {
    host = await PlayedHost.enter();
  });
  afterAll(() => host[Symbol.dispose]());
  beforeEach(async () => {
    bench = await NetworkBench.open('internet');
  });
  afterEach(async () => {
    await bench[Symbol.asyncDispose]();
  });

  /** Opens all that are ready at once, and gives the one in that namespace; `kept` disposes them. */
  async function openIn(namespace: string, kept: AsyncDisposableStack): Promise<NamespaceNetwork> {
    const { ready } = bench.pool.idle;
    const opened = await Promise.all(Array.from({ length: ready }, () => bench.open()));
    const places = await Promise.all(opened.map((network) => placeOf(kept.use(network))));
    const found = opened[places.findIndex((place) => place.namespace === namespace)];
    if (found === undefined) throw new Error(`${namespace} is not given out`);
    return found;
  }

  test('sixteen are made ahead, and no two open ones share a namespace or an address', async () => {
    await bench.pool.settled();
    expect(bench.pool.idle).toEqual({ ready: 16, lingering: 0 });
    await using kept = new AsyncDisposableStack();
    const places = await Promise.all(
      Array.from({ length: 20 }, async () => placeOf(kept.use(await bench.open()))),
    );
    expect(new Set(places.map(({ namespace }) => namespace)).size).toBe(20);
    expect(new Set(places.map(({ address }) => address)).size).toBe(20);
  });

  test('an empty one is given out again, with an address that nobody had', async () => {
    const first = await bench.open();
    const before = await placeOf(first);
    await emptied(first);
    await first[Symbol.asyncDispose]();
    await bench.pool.settled();
    await using kept = new AsyncDisposableStack();
    const again = await placeOf(await openIn(before.namespace, kept));
    expect(again.address).not.toBe(before.address);
  });

  test('what comes late for one environment does not reach the next in the namespace', async () => {
    await using remote = await RemoteMachine.create();
    bench.clock.advance(10_000);
    await bench.pool.settled();
    const replies: ((answer: string) => void)[] = [];
    let next = Promise.withResolvers<void>();
    await remote.receive(8_080, (_message, _from, reply) => {
      replies.push(reply);
      next.resolve();
    });
    // Both use one port, so that only the address tells them apart.
    const script = `const socket = require('node:dgram').createSocket('udp4');
      socket.on('message', (message) => { console.log(String(message)); socket.close(); });
      socket.bind(5000, () => socket.send('hello', 8080, '${remote.address}'));`;
    const first = await bench.open();
    const { namespace } = await placeOf(first);
    const child = startInside(first, script);
    await next.promise;
    child.kill('SIGKILL');
    await once(child, 'exit');
    await emptied(first);
    await first[Symbol.asyncDispose]();
    await bench.pool.settled();

    next = Promise.withResolvers<void>();
    await using kept = new AsyncDisposableStack();
    const second = await openIn(namespace, kept);
    const answer = runInside(second, script);
    await next.promise;
    replies[0]?.('late');
    replies[1]?.('in time');
    expect(replies).toHaveLength(2);
    expect(await answer).toBe('in time');
  });

  test('one with a connection that the kernel remembers is not given out, and goes at last', async () => {
    await bench.pool.settled();
    const network = await bench.open();
    await network.serve(9_001, (socket) => socket.resume());
    // Who closes first is in TIME_WAIT for a minute.
    await runInside(
      network,
      `const socket = require('node:net').connect(9001, '169.254.100.1', () => socket.end());`,
    );
    await network[Symbol.asyncDispose]();
    await bench.pool.settled();
    expect(bench.pool.idle).toEqual({ ready: 16, lingering: 1 });
    bench.clock.advance(1_000);
    await bench.pool.settled();
    expect(bench.pool.idle).toEqual({ ready: 16, lingering: 1 });
    bench.clock.advance(65_000);
    await bench.pool.settled();
    expect(bench.pool.idle).toEqual({ ready: 16, lingering: 0 });
  });

  test('one with a socket that goes meanwhile is given out again', async () => {
    await bench.pool.settled();
    const network = await bench.open();
    const { namespace } = await placeOf(network);
    using entered = new DisposableStack();
    const open = network.spawnInside(() => openSync('/proc/thread-self/ns/net', 'r'));
    const place = entered.adopt(open, closeSync);
    const socket = network.spawnInside(() => bench.thread.calls.createSocket(SocketKind.udp));
    await network[Symbol.asyncDispose]();
    await bench.pool.settled();
    expect(bench.pool.idle).toEqual({ ready: 16, lingering: 1 });
    closeSync(socket);
    await emptied({ spawnInside: (work) => bench.thread.inside(place, work) });
    bench.clock.advance(1_000);
    await bench.pool.settled();
    expect(bench.pool.idle).toEqual({ ready: 17, lingering: 0 });
    await using kept = new AsyncDisposableStack();
    await openIn(namespace, kept);
  });

  test('no more than 128 are kept', async () => {
    const networks = await Promise.all(Array.from({ length: 140 }, () => bench.open()));
    await Promise.all(networks.map(emptied));
    await Promise.all(networks.map((network) => network[Symbol.asyncDispose]()));
    await bench.pool.settled();
    expect(bench.pool.idle.ready).toBe(128);
  });

  test('what is being made while it is disposed is not given out, and is closed', async () => {
    await bench.pool.settled();
    const before = networkDescriptors().length;
    await using other = await NetworkBench.open('internet');
    const opening = Array.from({ length: 20 }, () => other.open());
    const outcomes = Promise.allSettled(opening);
    await other[Symbol.asyncDispose]();
    for (const outcome of await outcomes) {
      if (outcome.status === 'fulfilled') {
        expect(() => outcome.value.spawnInside(() => {})).toThrow('has been disposed');
      } else expect(String(outcome.reason)).toContain('the server is ending');
    }
    expect(networkDescriptors()).toHaveLength(before);
  });

  test('after dispose it gives none out, and what it had given out is closed', async () => {
    await bench.pool.settled();
    const before = networkDescriptors().length;
    await using other = await NetworkBench.open('internet');
    const network = await other.open();
    await network.serve(9_001, () => {});
    await other[Symbol.asyncDispose]();
    await expect(other.open()).rejects.toThrow('the server is ending');
    expect(() => network.spawnInside(() => {})).toThrow('the sandbox has been disposed');
    expect(networkDescriptors()).toHaveLength(before);
    expect(other.clock.pendingTimers).toBe(0);
  });
});

/** The namespace, by its number in the kernel, and the address of who is in it. */
async function placeOf(network: NamespaceNetwork): Promise<{ namespace: string; address: string }> {
  const [namespace = '', address = ''] = (await runInside(network, PLACE_SCRIPT)).split(' ');
  return { namespace, address };
}

/** The kernel takes sockets away a little after they are closed. */
async function emptied(network: SpawnScope): Promise<void> {
  await expect
    .poll(() => isWithoutSockets(network.spawnInside(readSockets)), { timeout: 5_000 })
    .toBe(true);
}

function readSockets(): string {
  return readFileSync('/proc/thread-self/net/sockstat', 'latin1');
}

test.each([
  ['sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\n', true],
  ['sockets: used 1\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\n', false],
  ['sockets: used 0\nTCP: inuse 0 orphan 0 tw 1 alloc 0 mem 0\n', false],
  ['', false],
])('of %j, no socket is left: %s', (sockstat, expected) => {
  expect(isWithoutSockets(sockstat)).toBe(expected);
});
