import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freeRanges, formatAddress } from './address-range.ts';
import { hostRules, routerRules } from './egress-rules.ts';
import { removeInstanceNetwork } from './instance-network.ts';
import {
  connectScript,
  egressObstacle,
  NetworkBench,
  networkDescriptors,
  networkTraces,
  runFilter,
  runInside,
  startInside,
} from './network-fixture.ts';
import { PlayedHost, RemoteMachine } from './played-host-fixture.ts';

const obstacle = egressObstacle();
const TOLD = obstacle ?? 'can be tested';
const PORT = 8_080;
/** What a Docker of today has on a host, as far as it matters to others. */
const DOCKER_RULES = `table ip filter {
  chain FORWARD {
    type filter hook forward priority filter; policy drop;
    iifname "docker0" oifname "docker0" accept
  }
}
table ip nat {
  chain POSTROUTING {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr 172.17.0.0/16 oifname != "docker0" masquerade
  }
}
`;
/** As iptables makes them from the lines that the fact has for remedy. */
const REMEDY_RULES = `insert rule ip filter FORWARD iifname "hearth*" accept
insert rule ip filter FORWARD oifname "hearth*" ct state established,related accept
`;

describe.skipIf(obstacle !== undefined)(`the network of an instance (${TOLD})`, () => {
  const opened = new AsyncDisposableStack();
  let outside: RemoteMachine;
  beforeAll(async () => {
    opened.use(await PlayedHost.enter());
    outside = opened.use(await RemoteMachine.create());
    await outside.listen(PORT);
  });
  afterAll(() => opened.disposeAsync());

  async function reach(bench: NetworkBench, remote = outside): Promise<string> {
    await using network = await bench.open();
    const [result = ''] = JSON.parse(
      await runInside(network, connectScript([[remote.address, PORT]])),
    );
    return result;
  }

  test('leaves nothing on the host, and every setting as it was', async () => {
    const before = { settings: settings(outside), descriptors: networkDescriptors().length };
    await using bench = await NetworkBench.open('internet');
    expect(await reach(bench)).toBe('open');
    expect(await networkTraces(bench.instanceId)).toHaveLength(4);
    expect(settings(outside)).toEqual({ ...before.settings, link: '1' });
    await bench[Symbol.asyncDispose]();
    expect(await networkTraces(bench.instanceId)).toEqual([]);
    expect(networkDescriptors()).toHaveLength(before.descriptors);
    expect(settings(outside)).toEqual(before.settings);
  });

  test('a link that passed packets on before does so afterwards', async () => {
    writeSetting(outside, '1');
    {
      await using bench = await NetworkBench.open('internet');
      expect(await reach(bench)).toBe('open');
    }
    expect(settings(outside).link).toBe('1');
    writeSetting(outside, '0');
  });

  test('where the host passes packets on by itself, nobody outside reaches an environment', async () => {
    writeSetting(outside, '1');
    {
      await using bench = await NetworkBench.open('internet');
      await using network = await bench.open();
      const listener = startInside(
        network,
        `require('node:net').createServer().listen(${PORT}, '0.0.0.0', () =>
          console.log(require('node:os').networkInterfaces().eth0[0].address));`,
      );
      try {
        const [printed] = await once(listener.stdout, 'data');
        await outside.addRouteToHost(bench.range.text);
        const script = connectScript([[String(printed).trim(), PORT]]);
        expect(JSON.parse(await runInside(outside, script))).toEqual(['ECONNREFUSED']);
      } finally {
        listener.kill('SIGKILL');
        await once(listener, 'exit');
      }
    }
    writeSetting(outside, '0');
  });

  test('the host does not become a router for others', async () => {
    await using bench = await NetworkBench.open('internet');
    await using neighbour = await RemoteMachine.create();
    bench.clock.advance(10_000);
    await bench.pool.settled();
    expect(await reach(bench)).toBe('open');
    const script = connectScript([[outside.address, PORT]]);
    expect(JSON.parse(await runInside(neighbour, script))).not.toContain('open');
  });

  test('a network that the host gets later is reached, too', async () => {
    await using bench = await NetworkBench.open('internet');
    await using later = await RemoteMachine.create();
    await later.listen(PORT);
    bench.clock.advance(10_000);
    await bench.pool.settled();
    expect(await reach(bench, later)).toBe('open');
  });

  test('two instances have addresses of their own, and one goes without the other', async () => {
    await using one = await NetworkBench.open('internet');
    await using other = await NetworkBench.open('internet');
    expect(one.range.text).not.toBe(other.range.text);
    expect(await Promise.all([reach(one), reach(other)])).toEqual(['open', 'open']);
    await using network = await one.open();
    const targets = [other.range.host, other.range.gateway].map(
      (address) => [address, 53] as const,
    );
    expect(JSON.parse(await runInside(network, connectScript(targets)))).toEqual([
      'ECONNREFUSED',
      'ECONNREFUSED',
    ]);
    await other[Symbol.asyncDispose]();
    expect(await reach(one)).toBe('open');
  });

  test('what a server that was killed leaves is removed, twice without harm', async () => {
    const before = settings(outside);
    const instanceId = await killedServer();
    const traces = await networkTraces(instanceId);
    expect(traces.filter((trace) => trace.includes(instanceId)).length).toBeGreaterThan(0);
    await removeInstanceNetwork(instanceId);
    await removeInstanceNetwork(instanceId);
    expect(await networkTraces(instanceId)).toEqual([]);
    expect(settings(outside)).toEqual(before);
  });

  test('the removal of one takes nothing from another', async () => {
    await using bench = await NetworkBench.open('internet');
    await removeInstanceNetwork(await killedServer());
    expect(await networkTraces(bench.instanceId)).toHaveLength(4);
    expect(await reach(bench)).toBe('open');
  });

  test('where another filter drops what is passed on, the fact says so, and its remedy helps', async () => {
    loadRules(DOCKER_RULES);
    try {
      const rules = runFilter(['list', 'ruleset']);
      {
        await using bench = await NetworkBench.open('internet');
        expect(bench.instance.fact).toMatchObject({
          enforced: true,
          how: 'a network of its own, egress internet, which other packet filters may drop: ip filter FORWARD',
          remedy: expect.stringContaining('iptables -I FORWARD -i hearth+ -j ACCEPT'),
        });
        expect(await reach(bench)).toBe('timeout');
        loadRules(REMEDY_RULES);
        expect(await reach(bench)).toBe('open');
      }
      loadRules(
        'flush chain ip filter FORWARD\nadd rule ip filter FORWARD iifname "docker0" oifname "docker0" accept\n',
      );
      expect(runFilter(['list', 'ruleset'])).toBe(rules);
    } finally {
      loadRules('delete table ip filter\ndelete table ip nat\n');
    }
  });

  test('--egress none: nothing but itself is reached, and the host has nothing of it', async () => {
    const before = { settings: settings(outside), descriptors: networkDescriptors().length };
    await using bench = await NetworkBench.open('none');
    expect(bench.instance.fact).toEqual({
      property: 'network',
      enforced: true,
      how: 'a network of its own, egress none',
    });
    expect(bench.instance.resolverFile('nameserver 127.0.0.53\n')).not.toContain('nameserver');
    await using network = await bench.open();
    const places = [
      outside.address,
      outside.hostAddress,
      '169.254.169.254',
      '10.208.0.1',
      '8.8.8.8',
    ];
    const targets = places.map((address) => [address, PORT] as const);
    const results: string[] = JSON.parse(await runInside(network, connectScript(targets)));
    expect(results).toEqual(places.map(() => 'ENETUNREACH'));
    const interfaces = `console.log(Object.keys(require('node:os').networkInterfaces()).join());`;
    expect(await runInside(network, interfaces)).toBe('lo');
    expect(await networkTraces(bench.instanceId)).toEqual([]);
    expect(settings(outside)).toEqual(before.settings);
    await bench[Symbol.asyncDispose]();
    expect(networkDescriptors()).toHaveLength(before.descriptors);
  });

  test('the rules are accepted for every range that may be claimed', () => {
    const tables = freeRanges([]).map((first, index) => {
      const range = `${formatAddress(first)}/18`;
      const gateway = formatAddress(first + 2);
      const names = { table: `hearth_${index}`, link: 'hearth0' };
      const router = routerRules({ gateway, range }).replace(
        'table inet router',
        `table inet r${index}`,
      );
      const drops = hostRules({ ...names, table: `drops_${index}`, range, refusal: 'drop' });
      return hostRules({ ...names, range, refusal: 'refuse' }) + drops + router;
    });
    expect(loadRules(tables.join(''), '--check')).toBe('');
  });
});

/** The id of an instance whose server has been killed with its network in use. */
async function killedServer(): Promise<string> {
  const fixture = join(import.meta.dirname, 'network-fixture.ts');
  const script = `import { NetworkBench } from ${JSON.stringify(fixture)};
    await using bench = await NetworkBench.open('internet');
    await bench.open();
    console.log(bench.instanceId);
    setInterval(() => {}, 60_000);`;
  const server = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [printed] = await once(server.stdout, 'data');
  server.kill('SIGKILL');
  await once(server, 'exit');
  return String(printed).trim();
}

function loadRules(rules: string, ...options: string[]): string {
  return runFilter([...options, '-f', '-'], rules);
}

function settings({ link }: RemoteMachine): { readonly all: string; readonly link: string } {
  return { all: readSetting('ip_forward'), link: readSetting(`conf/${link}/forwarding`) };
}

function readSetting(path: string): string {
  return readFileSync(`/proc/sys/net/ipv4/${path}`, 'latin1').trim();
}

function writeSetting({ link }: RemoteMachine, value: string): void {
  writeFileSync(`/proc/sys/net/ipv4/conf/${link}/forwarding`, value);
}
