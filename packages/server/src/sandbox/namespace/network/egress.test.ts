import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorCode } from '../../../system-calls/error-code.ts';
import { formatAddress, parseAddress } from './address-range.ts';
import { BLOCKED_ADDRESSES } from './egress-rules.ts';
import {
  connectScript,
  egressObstacle,
  NetworkBench,
  runInside,
  startInside,
} from './network-fixture.ts';
import type { NamespaceNetwork } from './namespace-network.ts';
import { PlayedHost, RemoteMachine } from './played-host-fixture.ts';

const obstacle = egressObstacle();
const TOLD = obstacle ?? 'can be tested';
const PORT = 8_080;
const METADATA = '169.254.169.254';
/** Of AWS in all notations that programs take, of ECS, Azure, Alibaba and Oracle. */
const METADATA_NOTATIONS = [
  METADATA,
  '2852039166',
  '0xa9fea9fe',
  '0xa9.0xfe.0xa9.0xfe',
  '0251.0376.0251.0376',
  '169.254.43518',
  '::ffff:169.254.169.254',
  '::ffff:a9fe:a9fe',
  '169.254.170.2',
  '169.254.170.23',
  '168.63.129.16',
  '100.100.100.200',
  '192.0.0.192',
];
const SEED = randomInt(2 ** 31);
const LISTEN_SCRIPT = `require('node:net').createServer((socket) => socket.end()).listen(${PORT}, '0.0.0.0', () => {
  console.log(require('node:os').networkInterfaces().eth0[0].address);
});`;

type Target = readonly [host: string, port: number];

describe.skipIf(obstacle !== undefined)(`egress internet (${TOLD})`, () => {
  const opened = new AsyncDisposableStack();
  let internet: RemoteMachine;
  let bench: NetworkBench;

  beforeAll(async () => {
    opened.use(await PlayedHost.enter());
    internet = opened.use(await RemoteMachine.create());
    await internet.playInternet();
    for (const port of [53, 80, PORT]) await internet.listen(port);
    await listenOnHost(opened, PORT, '0.0.0.0');
    await listenOnHost(opened, 8_081, '127.0.0.1');
    bench = opened.use(await NetworkBench.open('internet'));
  });
  afterAll(() => opened.disposeAsync());

  async function attempts(targets: readonly Target[], from?: NamespaceNetwork): Promise<string[]> {
    const network = from ?? (await bench.open());
    try {
      return JSON.parse(await runInside(network, connectScript(targets)));
    } finally {
      if (from === undefined) await network[Symbol.asyncDispose]();
    }
  }

  /** The addresses of this test's links and environments, which are neither blocked nor outside. */
  function isOfTest(address: number): boolean {
    const ranges = [bench.range.text, '198.51.100.0/24'];
    return ranges.some((range) => contains(range, address));
  }

  test('the outside is reached, and sees the host as the one that connects', async () => {
    await using network = await bench.open();
    const printed = await runInside(
      network,
      `require('node:net').connect(${PORT}, '93.184.216.34').pipe(process.stdout);`,
    );
    expect(printed).toBe(internet.hostAddress);
    expect(bench.instance.fact).toEqual({
      property: 'network',
      enforced: true,
      how: 'a network of its own, egress internet',
    });
  });

  test('the outside is reached by UDP, and answers come back', async () => {
    const received: string[] = [];
    await internet.receive(PORT, (message, from, reply) => {
      received.push(`${message.toString()} from ${from}`);
      reply('answer');
    });
    await using network = await bench.open();
    const script = `const socket = require('node:dgram').createSocket('udp4');
      socket.on('message', (message) => { console.log(String(message)); socket.close(); });
      socket.send('question', ${PORT}, '${internet.address}');`;
    expect(await runInside(network, script)).toBe('answer');
    expect(received).toEqual([`question from ${internet.hostAddress}`]);
  });

  test('E55 the metadata addresses are refused in every notation, though the host reaches them', async () => {
    expect(await connectsFromHost(METADATA, 80)).toBe('open');
    const targets = METADATA_NOTATIONS.map((address): Target => [address, 80]);
    expect(results(targets, await attempts(targets))).toEqual(
      results(
        targets,
        METADATA_NOTATIONS.map(() => 'ECONNREFUSED'),
      ),
    );
  });

  test('E55 there is no IPv6: metadata, neighbours and the host have no route', async () => {
    const addresses = ['fd00:ec2::254', 'fd20:ce::254', 'fe80::1', '2001:db8::1', 'ff02::1'];
    const targets = addresses.map((address): Target => [address, 80]);
    for (const result of await attempts(targets)) expect(result).toMatch(/^(ENETUNREACH|EINVAL)$/);
    await using network = await bench.open();
    const script = `console.log(JSON.stringify(Object.values(require('node:os').networkInterfaces())
      .flat().filter(({ family }) => family === 'IPv6').map(({ address }) => address)));`;
    expect(JSON.parse(await runInside(network, script))).toEqual(['::1']);
  });

  test('E55 the services of the host are refused at all its addresses', async () => {
    const addresses = ['127.0.0.1', bench.range.host, internet.hostAddress];
    for (const address of addresses) expect(await connectsFromHost(address, PORT)).toBe('open');
    const targets = [...addresses, '127.8.8.8', '0.0.0.0', '::1', '::ffff:127.0.0.1'].flatMap(
      (address): Target[] => [
        [address, PORT],
        [address, 8_081],
      ],
    );
    expect(results(targets, await attempts(targets))).toEqual(
      results(
        targets,
        targets.map(() => 'ECONNREFUSED'),
      ),
    );
  });

  test('E55 no UDP arrives at the host, at none of its addresses', async () => {
    const received: string[] = [];
    const arrived = Promise.withResolvers<void>();
    const socket = createSocket('udp4', (message) => {
      received.push(message.toString());
      arrived.resolve();
    });
    try {
      socket.bind(PORT);
      await once(socket, 'listening');
      await using network = await bench.open();
      const addresses = [bench.range.host, internet.hostAddress, '255.255.255.255', '224.0.0.1'];
      const script = `const socket = require('node:dgram').createSocket('udp4').on('error', () => {});
        socket.bind(() => {
          socket.setBroadcast(true);
          for (const address of ${JSON.stringify(addresses)}) socket.send('intruder', ${PORT}, address);
          socket.send('last', 53, '${bench.range.gateway}', () => socket.close());
        });`;
      await runInside(network, script);
      socket.send('from the host itself', PORT, internet.hostAddress);
      await arrived.promise;
      expect(received).toEqual(['from the host itself']);
    } finally {
      socket.close();
    }
  });

  test('E55 an address that the host gets later is refused, too', async () => {
    await using later = await RemoteMachine.create();
    expect(await connectsFromHost(later.hostAddress, PORT)).toBe('open');
    expect(await attempts([[later.hostAddress, PORT]])).toEqual(['ECONNREFUSED']);
  });

  test('E55 another environment is refused, whoever asks for whom', async () => {
    await using one = await bench.open();
    await using other = await bench.open();
    using served = new DisposableStack();
    const addresses = await Promise.all(
      [one, other].map(async (network) => {
        const child = startInside(network, LISTEN_SCRIPT);
        served.defer(() => child.kill('SIGKILL'));
        const [address] = await once(child.stdout, 'data');
        return String(address).trim();
      }),
    );
    const targets = addresses.map((address): Target => [address, PORT]);
    expect(await attempts(targets, one)).toEqual(['open', 'ECONNREFUSED']);
    expect(await attempts(targets, other)).toEqual(['ECONNREFUSED', 'open']);
    // With the route of the outside to them, from there nobody gets in either.
    await internet.addRouteToHost(bench.range.text);
    expect(JSON.parse(await runInside(internet, connectScript(targets)))).not.toContain('open');
  });

  test('E55 what is served to one environment is at the same address for no other', async () => {
    await using one = await bench.open();
    await using other = await bench.open();
    let accepted = 0;
    const address = await one.serve(9_001, (socket) => {
      accepted += 1;
      socket.destroy();
    });
    const [served = '', port] = address.split(':');
    const target: Target = [served, Number(port)];
    expect(await attempts([target], other)).toEqual(['ECONNREFUSED']);
    expect(accepted).toBe(0);
    expect(await attempts([target], one)).toEqual(['open']);
    expect(await connectsFromHost(...target)).not.toBe('open');
  });

  test('E55 of the gateway nothing but the name service is reached', async () => {
    const { gateway } = bench.range;
    const targets = [53, 22, 80, 111, 9_001, PORT].map((port): Target => [gateway, port]);
    expect(await attempts(targets)).toEqual(['open', ...Array(5).fill('ECONNREFUSED')]);
  });

  test('E55 any address: what is not blocked is reached, what is blocked is not', async () => {
    await using network = await bench.open();
    const edges = BLOCKED_ADDRESSES.flatMap((range) => {
      const { first, end } = boundsOf(range);
      return [first - 1, first, end - 1, end];
    });
    const drawn = fc.sample(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { numRuns: 200, seed: SEED });
    const addresses = [...edges, ...drawn].filter(
      (address) => address >= 0 && address < 2 ** 32 && !isOfTest(address),
    );
    const found = await attempts(
      addresses.map((address): Target => [formatAddress(address), 80]),
      network,
    );
    const places = addresses.map((address, index) => {
      const isBlocked = BLOCKED_ADDRESSES.some((range) => contains(range, address));
      return { place: formatAddress(address), isOpen: found[index] === 'open', isBlocked };
    });
    expect({ SEED, wrong: places.filter(({ isOpen, isBlocked }) => isOpen === isBlocked) }).toEqual(
      {
        SEED,
        wrong: [],
      },
    );
  });
});

function results(targets: readonly Target[], found: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(targets.map((target, index) => [target.join(' '), found[index]]));
}

function boundsOf(range: string): { readonly first: number; readonly end: number } {
  const [address = '', length] = range.split('/');
  const first = parseAddress(address);
  return { first, end: first + 2 ** (32 - Number(length)) };
}

function contains(range: string, address: number): boolean {
  const { first, end } = boundsOf(range);
  return address >= first && address < end;
}

async function connectsFromHost(host: string, port: number): Promise<string> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect');
    return 'open';
  } catch (error) {
    return errorCode(error) ?? 'failed';
  } finally {
    socket.destroy();
  }
}

async function listenOnHost(
  opened: AsyncDisposableStack,
  port: number,
  host: string,
): Promise<void> {
  const server = createServer((socket) => socket.end());
  server.listen({ port, host });
  await once(server, 'listening');
  opened.defer(() => new Promise((resolve) => server.close(() => resolve())));
}
