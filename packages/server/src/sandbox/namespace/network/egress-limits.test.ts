import { once } from 'node:events';
import { expect, test } from 'vitest';
import {
  connectScript,
  egressObstacle,
  NetworkBench,
  runInside,
  startInside,
} from './network-fixture.ts';
import { PlayedHost, RemoteMachine } from './played-host-fixture.ts';

/** Opens 1,100 connections, keeps them, and prints how many there are. */
const GREEDY_SCRIPT = `const counts = { open: 0, refused: 0 };
  const count = (result) => {
    counts[result] += 1;
    if (counts.open + counts.refused === 1_100) console.log(JSON.stringify(counts));
  };
  for (let made = 0; made < 1_100; made += 1) {
    const socket = require('node:net').connect(8_082, '93.184.216.34');
    socket.once('connect', () => count('open')).once('error', () => count('refused'));
  }`;

test('an environment has no more than 1,024 connections, which leaves another its own', async ({
  skip,
}) => {
  const obstacle = egressObstacle();
  skip(obstacle !== undefined, obstacle);
  await using opened = new AsyncDisposableStack();
  opened.use(await PlayedHost.enter());
  const internet = opened.use(await RemoteMachine.create());
  await internet.playInternet();
  await internet.serve(8_082, (socket) => socket.resume());
  const bench = opened.use(await NetworkBench.open('internet'));
  const [greedy, other] = [await bench.open(), await bench.open()];
  const child = startInside(greedy, GREEDY_SCRIPT);
  opened.defer(async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const [counts] = await once(child.stdout, 'data');
  expect(JSON.parse(String(counts))).toEqual({ open: 1_024, refused: 76 });
  const script = connectScript([[internet.address, 8_082]]);
  expect(JSON.parse(await runInside(other, script))).toEqual(['open']);
});
