import { randomUUID } from 'node:crypto';
import { DeleteFunctionCommand } from '@aws-sdk/client-lambda';
import { expect, test } from 'vitest';
import { deploy, invoke } from '../support/function.ts';
import { startServerAsProcess } from '../support/server-as-process.ts';
import { grown, type Holdings, holdingsOf } from '../support/server-holdings.ts';

/** Environments that are born and ended. */
const BIRTHS = 1_000;
/** At the same time. */
const AT_ONCE = 25;
const SETTLE_MS = 60_000;
/** That are kept for later environments; a leak would be of as many as there were environments. */
const MAX_WAITING_NETWORKS = 128;

/** Says which environment it is, and leaves things behind that go with the environment. */
const NODE = {
  'index.js': `const { randomUUID } = require('node:crypto');
    const id = randomUUID();
    require('node:fs').writeFileSync('/tmp/left', id);
    require('node:child_process').spawn('/bin/sleep', ['1000'], { detached: true }).unref();
    setInterval(() => {}, 10);
    exports.handler = async () => { await new Promise((r) => setTimeout(r, 50)); return id; };`,
};
/** Speaks the Runtime API over the network that is the environment's own. */
const SHELL = {
  bootstrap: `#!/bin/bash
    id=$(cat /proc/sys/kernel/random/uuid)
    while :; do
      exec 9<>"/dev/tcp/\${AWS_LAMBDA_RUNTIME_API%:*}/\${AWS_LAMBDA_RUNTIME_API#*:}"
      printf 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' >&9
      request=$(tr -d '\\r' <&9 | sed -n 's/^lambda-runtime-aws-request-id: //Ip'); exec 9>&-
      sleep 0.05
      exec 9<>"/dev/tcp/\${AWS_LAMBDA_RUNTIME_API%:*}/\${AWS_LAMBDA_RUNTIME_API#*:}"
      printf 'POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\nContent-Length: 38\\r\\n\\r\\n"%s"' "$request" "$id" >&9
      cat <&9 > /dev/null; exec 9>&-
    done`,
};

test(`${BIRTHS} environments that were born and ended leave nothing`, async ({ skip }) => {
  skip(process.platform !== 'linux', 'counts in /proc, which is of Linux');
  await using server = await startServerAsProcess();
  const { client, dataDir } = server;
  const born = new Set<unknown>();
  const round = async (runtime: 'nodejs24.x' | 'provided.al2023'): Promise<void> => {
    const name = `f-${randomUUID()}`;
    const settings = { Runtime: runtime, Timeout: 60 } as const;
    const files = runtime === 'nodejs24.x' ? NODE : SHELL;
    await deploy(client, name, files, settings);
    const calls = Array.from({ length: AT_ONCE }, () => invoke(client, name));
    for (const { result, functionError } of await Promise.all(calls)) {
      expect([result, functionError]).toEqual([expect.any(String), undefined]);
      born.add(result);
    }
    await client.send(new DeleteFunctionCommand({ FunctionName: name }));
  };
  const settled = async (): Promise<void> => {
    await expect
      .poll(() => openEnvironments(server.endpoint), { timeout: SETTLE_MS, interval: 50 })
      .toEqual([]);
  };
  // What is made ahead follows the demand: it is as large after the first rounds as ever.
  for (const runtime of ['nodejs24.x', 'provided.al2023'] as const) await round(runtime);
  await settled();
  born.clear();
  const before = withWaitingNetworks(holdingsOf(server.pid, dataDir));
  while (born.size < BIRTHS) {
    await round('nodejs24.x');
    await round('provided.al2023');
  }
  await settled();
  await expect
    .poll(() => grown(before, holdingsOf(server.pid, dataDir)), {
      timeout: SETTLE_MS,
      interval: 100,
    })
    .toEqual([]);
}, 600_000);

/** A network waits 65 s until the kernel has forgotten its connections, and may then be used again. */
function withWaitingNetworks(holdings: Holdings): Holdings {
  const kind = 'descriptors, net';
  return { ...holdings, [kind]: (holdings[kind] ?? 0) + MAX_WAITING_NETWORKS };
}

async function openEnvironments(endpoint: string): Promise<unknown[]> {
  const response = await fetch(`${endpoint}/_hearth/environments`);
  const { environments } = (await response.json()) as { environments: unknown[] };
  return environments;
}
