import { once } from 'node:events';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { NamespaceNetwork } from './namespace-network.ts';
import {
  NetworkBench,
  networkDescriptors,
  networkObstacle,
  runInside,
  startInside,
} from './network-fixture.ts';

const obstacle = networkObstacle();
const TOLD = obstacle ?? 'can be tested';
const NEVER = new AbortController().signal;
describe.skipIf(obstacle !== undefined)(`a network of a sandbox (${TOLD})`, () => {
  let bench: NetworkBench;
  let network: NamespaceNetwork;
  beforeAll(async () => {
    bench = await NetworkBench.open('none');
  });
  afterAll(async () => {
    await bench[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    network = await bench.open();
  });
  afterEach(async () => {
    await network[Symbol.asyncDispose]();
  });

  test('what is served is reached inside, at an address that does not change', async () => {
    const address = await network.serve(9_001, answer);
    expect(address).toBe('169.254.100.1:9001');
    expect(await runInside(network, requestScript(9_001))).toBe('question was asked');
  });

  test('several ports are served, each once', async () => {
    await network.serve(9_001, answer);
    await network.serve(4_566, answer);
    await expect(network.serve(9_001, answer)).rejects.toThrow('as it is served already');
    expect(await runInside(network, requestScript(4_566))).toBe('question was asked');
  });

  test('a port that a program has taken cannot be served, and is free again afterwards', async () => {
    const child = startInside(
      network,
      `require('node:net').createServer().listen(9001, '0.0.0.0', () => console.log('up'));`,
    );
    await once(child.stdout, 'data');
    await expect(network.serve(9_001, answer)).rejects.toThrow('Cannot serve port 9001');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await network.serve(9_001, answer)).toBe('169.254.100.1:9001');
  });

  test('more connections than 128 to a port are closed', async () => {
    const sockets: Socket[] = [];
    await network.serve(9_001, (socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
    });
    const script = `const { connect } = require('node:net');
      let closed = 0;
      const done = (socket) => { closed += 1; if (closed === 12) { console.log(closed); process.exit(); } };
      for (let count = 0; count < 140; count += 1)
        connect(9001, '169.254.100.1').on('error', () => {}).on('close', done);`;
    expect(await runInside(network, script)).toBe('12');
    expect(sockets).toHaveLength(128);
  });

  test('a port that a program listens on is connected to, one without a listener is refused', async () => {
    const child = startInside(
      network,
      `require('node:net').createServer((socket) => socket.end('hello'))
        .listen(8080, '127.0.0.1', () => console.log('up'));`,
    );
    await once(child.stdout, 'data');
    expect(await text(await network.connect(8_080, NEVER))).toBe('hello');
    await expect(network.connect(8_081, NEVER)).rejects.toThrow('ECONNREFUSED');
    child.kill('SIGKILL');
    await once(child, 'exit');
  });

  test('a connection is not waited for after an abort', async () => {
    await expect(network.connect(8_080, AbortSignal.abort(new Error('no more')))).rejects.toThrow(
      'no more',
    );
  });

  test('after dispose nothing works, connections are closed, and no descriptor is left', async () => {
    const before = networkDescriptors().length;
    const other = await bench.open();
    await bench.pool.settled();
    const accepted = Promise.withResolvers<Socket>();
    await other.serve(9_001, accepted.resolve);
    const child = startInside(
      other,
      `require('node:net').connect(9001, '169.254.100.1').on('close', () => console.log('closed')).resume();`,
    );
    const printed = text(child.stdout);
    await accepted.promise;
    await other[Symbol.asyncDispose]();
    expect((await printed).trim()).toBe('closed');
    await expect(other.serve(9_002, answer)).rejects.toThrow('the sandbox has been disposed');
    await expect(other.connect(9_001, NEVER)).rejects.toThrow('the sandbox has been disposed');
    await expect(other[Symbol.asyncDispose]()).resolves.toBeUndefined();
    const sockets = networkDescriptors().filter((descriptor) => descriptor.includes('socket:'));
    expect(sockets.length).toBeLessThanOrEqual(before);
  });
});

function requestScript(port: number): string {
  return `require('node:net').connect(${port}, '169.254.100.1').end('question').pipe(process.stdout);`;
}

/** Answers when it has been asked. */
function answer(socket: Socket): void {
  socket.on('error', () => {});
  socket.once('data', (question) => socket.end(`${question.toString()} was asked`));
}
