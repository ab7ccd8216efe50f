import { once } from 'node:events';
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { answerTo, nameIn } from './name-server-fixture.ts';
import type { NamespaceNetwork } from './namespace-network.ts';
import { egressObstacle, NetworkBench, networkDescriptors, runInside } from './network-fixture.ts';
import { PlayedHost, RemoteMachine } from './played-host-fixture.ts';

const obstacle = egressObstacle();
const TOLD = obstacle ?? 'can be tested';
/** As of systemd-resolved: on the host, where environments do not come. */
const LOCAL_SERVER = '127.0.0.53';

describe.skipIf(obstacle !== undefined)(`names through the relay (${TOLD})`, () => {
  let host: PlayedHost;
  let remote: RemoteMachine;
  let bench: NetworkBench;
  let network: NamespaceNetwork;
  const opened = new AsyncDisposableStack();
  const asked: string[] = [];
  /** What the local server does with a question by UDP. */
  let answer: (question: Buffer, reply: (answer: Buffer) => void) => void;

  beforeAll(async () => {
    host = await PlayedHost.enter();
    opened.defer(() => host[Symbol.dispose]());
    remote = opened.use(await RemoteMachine.create());
    const datagrams = await listenForQuestions(LOCAL_SERVER, (question, reply) => {
      asked.push(nameIn(question));
      answer(question, reply);
    });
    opened.defer(() => void datagrams.close());
  });
  afterAll(() => opened.disposeAsync());
  beforeEach(async () => {
    asked.length = 0;
    answer = (question, reply) => reply(answerTo(question, '192.0.2.7'));
    bench = await NetworkBench.open('internet');
    network = await bench.open();
  });
  afterEach(async () => {
    await network[Symbol.asyncDispose]();
    await bench[Symbol.asyncDispose]();
  });

  /** The resolv.conf of sandboxes where the host's names these servers. */
  function useServers(...servers: string[]): string {
    return bench.instance.resolverFile(servers.map((server) => `nameserver ${server}\n`).join(''));
  }

  const resolve = (name: string, options = {}): Promise<string> =>
    runInside(
      network,
      `const { Resolver } = require('node:dns');
      const resolver = new Resolver(${JSON.stringify(options)});
      resolver.setServers(['${bench.range.gateway}']);
      resolver.resolve4('${name}', (error, addresses) => console.log(error?.code ?? addresses.join()));`,
    );

  test('a server on the host is asked in place of environments', async () => {
    expect(useServers(LOCAL_SERVER)).toBe(`nameserver ${bench.range.gateway}\n`);
    expect(await resolve('example.test')).toBe('192.0.2.7');
    expect(asked).toEqual(['example.test']);
  });

  test('a server that environments reach is left to them, and the relay asks nobody', async () => {
    expect(useServers(remote.address, LOCAL_SERVER)).toBe(`nameserver ${remote.address}\n`);
    expect(await resolve('example.test', { timeout: 200, tries: 1 })).toBe('ETIMEOUT');
    expect(asked).toEqual([]);
  });

  test('where a server does not answer, the next is asked', async () => {
    const silent = Promise.withResolvers<void>();
    const socket = await listenForQuestions('127.0.0.54', () => silent.resolve());
    useServers('127.0.0.54', LOCAL_SERVER);
    const resolved = resolve('example.test');
    await silent.promise;
    bench.clock.advance(2_000);
    expect(await resolved).toBe('192.0.2.7');
    socket.close();
  });

  test('where nobody listens, the next is asked at once', async () => {
    useServers('127.0.0.55', LOCAL_SERVER);
    expect(await resolve('example.test')).toBe('192.0.2.7');
  });

  test('an answer to another question is not passed on', async () => {
    answer = (question, reply) => {
      const forged = answerTo(question, '203.0.113.66');
      forged.writeUInt16BE(forged.readUInt16BE(0) ^ 1, 0);
      reply(forged);
      reply(answerTo(question, '192.0.2.7'));
    };
    useServers(LOCAL_SERVER);
    expect(await resolve('example.test')).toBe('192.0.2.7');
  });

  test('an environment has no more than 64 questions waiting', async () => {
    const replies: (() => void)[] = [];
    const all = Promise.withResolvers<void>();
    answer = (question, reply) => {
      replies.push(() => reply(answerTo(question, '192.0.2.7')));
      if (replies.length === 64) all.resolve();
    };
    useServers(LOCAL_SERVER);
    const flood = runInside(network, floodScript(bench.range.gateway, 100));
    await all.promise;
    // By a way of its own that comes after the flood: what was passed on is known now.
    await using other = await bench.open();
    const last = runInside(other, floodScript(bench.range.gateway, 1));
    await expect.poll(() => replies.length).toBe(65);
    for (const reply of replies) reply();
    expect(await flood).toBe('answers');
    expect(await last).toBe('answers');
  });

  test('over TCP, what is asked and answered is passed on; the next server where one refuses', async () => {
    useServers('127.0.0.55', LOCAL_SERVER);
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (question) => socket.end(`answer to ${question.toString()}`));
    });
    server.listen(53, LOCAL_SERVER);
    await once(server, 'listening');
    const script = `const socket = require('node:net').connect(53, '${bench.range.gateway}');
      socket.on('error', () => {}).end('question').pipe(process.stdout);`;
    expect(await runInside(network, script)).toBe('answer to question');
    server.close();
    await once(server, 'close');
    // Now nobody listens: the connection is closed, not kept.
    expect(await runInside(network, script)).toBe('');
  });

  test('a connection that nobody uses is closed after 30 s', async () => {
    const accepted = Promise.withResolvers<void>();
    const server = createServer((socket) => {
      socket.on('error', () => {});
      accepted.resolve();
    });
    server.listen(53, LOCAL_SERVER);
    await once(server, 'listening');
    useServers(LOCAL_SERVER);
    const script = `require('node:net').connect(53, '${bench.range.gateway}')
      .on('error', () => {}).on('close', () => console.log('closed')).resume();`;
    const ended = runInside(network, script);
    await accepted.promise;
    bench.clock.advance(30_000);
    expect(await ended).toBe('closed');
    server.close();
  });

  test('with questions and connections under way it closes, and leaves no descriptor', async () => {
    await bench.pool.settled();
    const before = networkDescriptors().length;
    await using other = await NetworkBench.open('internet');
    other.instance.resolverFile(`nameserver ${LOCAL_SERVER}\n`);
    const waiting = Promise.withResolvers<void>();
    answer = () => waiting.resolve();
    const asking = await other.open();
    const child = runInside(asking, floodScript(other.range.gateway, 1, 200));
    await waiting.promise;
    await child;
    await other[Symbol.asyncDispose]();
    expect(networkDescriptors()).toHaveLength(before);
    expect(other.clock.pendingTimers).toBe(0);
  });
});

/** Asks so many questions at once, and prints `answers` with the first answer. */
function floodScript(server: string, count: number, timeoutMs = 60_000): string {
  return `const socket = require('node:dgram').createSocket('udp4');
    const end = (text) => { console.log(text); process.exit(); };
    socket.on('message', () => end('answers'));
    setTimeout(() => end('none'), ${timeoutMs});
    for (let id = 0; id < ${count}; id += 1) {
      const question = Buffer.from('000001000001000000000000', 'hex');
      question.writeUInt16BE(id, 0);
      socket.send(Buffer.concat([question, Buffer.from('\\x01a\\x04test\\x00\\x00\\x01\\x00\\x01', 'latin1')]), 53, '${server}');
    }`;
}

async function listenForQuestions(
  address: string,
  onQuestion: (question: Buffer, reply: (answer: Buffer) => void) => void,
): Promise<DatagramSocket> {
  const socket = createSocket('udp4', (question, from) => {
    onQuestion(question, (reply) => socket.send(reply, from.port, from.address));
  });
  socket.bind(53, address);
  await once(socket, 'listening');
  return socket;
}
