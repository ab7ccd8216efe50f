import { describe, expect, test } from 'vitest';
import { deploy, invoke, invokeWithLog } from '../support/function.ts';
import { startTestServer } from '../support/server.ts';

describe('the process driver', () => {
  test('runs, times out and replaces a function like the other one', async () => {
    await using server = await startTestServer({ sandbox: 'process' });
    await deploy(
      server.client,
      'plain',
      {
        'index.js': `const fs = require('node:fs');
          let calls = 0;
          exports.handler = async (event) => {
            calls += 1;
            if (event.exit) process.exit(4);
            if (event.hang) { fs.writeFileSync(process.env.TMPDIR + '/kept', ''); while (true); }
            return { calls, kept: fs.existsSync(process.env.TMPDIR + '/kept'), cwd: process.cwd(), root: process.env.LAMBDA_TASK_ROOT };
          };`,
      },
      { Timeout: 1 },
    );
    const first = await invokeWithLog(server.client, 'plain');
    const { cwd, root } = first.result as { cwd: string; root: string };
    expect(first.result).toMatchObject({ calls: 1, kept: false });
    expect(cwd).toBe(root);
    expect(first.log.join('\n')).toMatch(/Max Memory Used: [1-9]\d* MB/);
    expect((await invoke(server.client, 'plain', { hang: true })).result).toMatchObject({
      errorType: 'Sandbox.Timedout',
    });
    expect((await invoke(server.client, 'plain')).result).toMatchObject({ calls: 1, kept: true });
    expect((await invoke(server.client, 'plain', { exit: true })).result).toMatchObject({
      errorMessage: expect.stringMatching(/exit status 4$/),
    });
    expect((await invoke(server.client, 'plain')).result).toMatchObject({ calls: 1, kept: true });
  });

  test('says plainly that it enforces nothing', async () => {
    await using server = await startTestServer({ sandbox: 'process' });
    const health = (await (await fetch(`${server.endpoint}/_hearth/health`)).json()) as {
      status: string;
      sandbox: { driver: string; enforcement: Record<string, boolean> };
    };
    expect(health).toMatchObject({ status: 'ok', sandbox: { driver: 'process' } });
    expect(Object.values(health.sandbox.enforcement)).not.toContain(true);
  });
});
