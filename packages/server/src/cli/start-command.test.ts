import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { StandInApi } from './cli-harness.ts';
import {
  makeFolder,
  runHearth,
  sendJson,
  startHearth,
  startStandInApi,
  untilWritten,
} from './cli-harness.ts';

const HEALTH = {
  sandbox: {
    driver: 'process',
    limits: [
      { property: 'memory', enforced: false, why: 'x' },
      { property: 'user', enforced: true },
      { property: 'network', enforced: false },
    ],
  },
};

/**
 * Arguments of Node.js that put a server of one line in the place of the composition root: `start`
 * is what startServer does, with `config` and `endpoint`.
 */
function withServer(api: StandInApi, start: string): string[] {
  const folder = makeFolder();
  const server = join(folder, 'server.mjs');
  writeFileSync(
    server,
    `const endpoint = ${JSON.stringify(api.endpoint)};
     export async function startServer(config) { ${start} }`,
  );
  const hook = join(folder, 'hook.mjs');
  writeFileSync(
    hook,
    `import { registerHooks } from 'node:module';
     registerHooks({
       resolve(specifier, context, next) {
         const isRoot = specifier === '../../main.ts';
         return isRoot ? { url: ${JSON.stringify(`file://${server}`)}, shortCircuit: true } : next(specifier, context);
       },
     });`,
  );
  return ['--import', hook];
}

function healthyApi(): Promise<StandInApi> {
  return startStandInApi((_request, response) => sendJson(response, 200, HEALTH));
}

const CLOSES = `return { endpoint, close: async () => console.error('closed') };`;

describe('hearth start', () => {
  test('says on standard output where it is ready, and on standard error what is not enforced', async () => {
    const api = await healthyApi();
    const { child, ended } = startHearth(['start', '--data-dir', '/some/data'], {
      nodeArguments: withServer(api, CLOSES),
    });
    await untilWritten(child.stdout, 'hearth ready');
    child.kill('SIGTERM');
    expect(await ended).toEqual({
      exitCode: 0,
      stdout: `hearth ready ${api.endpoint}\n`,
      stderr:
        'sandbox: process, not enforced: memory, network (why and what to do: hearth doctor)\n' +
        'data folder: /some/data\nclosed\n',
    });
    expect(api.requests.map(({ target }) => target)).toEqual(['/_hearth/health']);
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s closes the server: exit 0',
    async (signal) => {
      const api = await healthyApi();
      const { child, ended } = startHearth(['start'], { nodeArguments: withServer(api, CLOSES) });
      await untilWritten(child.stdout, 'hearth ready');
      child.kill(signal);
      expect(await ended).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('closed') });
    },
  );

  test('a signal that arrives twice at once is one', async () => {
    const api = await healthyApi();
    const { child, ended } = startHearth(['start'], {
      nodeArguments: withServer(
        api,
        `return { endpoint, close: () => new Promise((resolve) => {
           process.once('SIGUSR2', resolve);
           console.error('closing');
         }) };`,
      ),
    });
    await untilWritten(child.stdout, 'hearth ready');
    child.kill('SIGINT');
    child.kill('SIGTERM');
    await untilWritten(child.stderr, 'closing');
    child.kill('SIGUSR2');
    expect(await ended).toMatchObject({ exitCode: 0 });
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('another %s while it closes ends it at once: exit %i', async (signal, exitCode) => {
    const api = await healthyApi();
    const { child, ended } = startHearth(['start'], {
      nodeArguments: withServer(
        api,
        `setInterval(() => undefined, 60_000);
         return { endpoint, close: () => new Promise(() => console.error('closing')) };`,
      ),
    });
    await untilWritten(child.stdout, 'hearth ready');
    child.kill('SIGTERM');
    await untilWritten(child.stderr, 'closing');
    const impatience = setInterval(() => child.kill(signal), 20);
    const end = await ended;
    clearInterval(impatience);
    expect(end.exitCode).toBe(exitCode);
  });

  test('--json gives the ready line as JSON', async () => {
    const api = await healthyApi();
    const { child, ended } = startHearth(['start', '--json'], {
      nodeArguments: withServer(api, CLOSES),
    });
    await untilWritten(child.stdout, 'ready');
    child.kill('SIGTERM');
    expect(JSON.parse((await ended).stdout)).toEqual({
      ready: api.endpoint,
      sandbox: HEALTH.sandbox,
    });
  });

  test('hands the parsed configuration to the server', async () => {
    const api = await healthyApi();
    const { child, ended } = startHearth(['start', '--port', '0', '--strict-runtimes'], {
      nodeArguments: withServer(api, `console.error(JSON.stringify(config)); ${CLOSES}`),
      environment: { HEARTH_PORT: '99', HEARTH_REGION: 'eu-west-3', HEARTH_REGOIN: 'x' },
    });
    await untilWritten(child.stdout, 'hearth ready');
    child.kill('SIGTERM');
    const [warning = '', config = ''] = (await ended).stderr.split('\n');
    expect(warning).toBe('HEARTH_REGOIN sets nothing: ignored');
    expect(JSON.parse(config)).toMatchObject({
      port: 0,
      region: 'eu-west-3',
      strictRuntimes: true,
    });
  });

  test('a server whose output nobody reads goes on', async () => {
    const api = await healthyApi();
    const { child, ended } = startHearth(['start'], {
      nodeArguments: withServer(
        api,
        `process.on('SIGUSR2', () => {
           console.log('to nobody');
           setImmediate(() => console.error('still here'));
         });
         ${CLOSES}`,
      ),
    });
    await untilWritten(child.stdout, 'hearth ready');
    child.stdout.destroy();
    child.kill('SIGUSR2');
    await untilWritten(child.stderr, 'still here');
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('closed') });
  });

  test('a port that is taken is told in one line', async () => {
    const api = await healthyApi();
    const port = new URL(api.endpoint).port;
    const { exitCode, stdout, stderr } = await runHearth(['start', '--port', port], {
      nodeArguments: withServer(
        api,
        `const { createServer } = await import('node:http');
         const server = createServer();
         await new Promise((resolve, reject) =>
           server.once('error', reject).listen(config.port, config.host, resolve));`,
      ),
    });
    expect(stderr).toBe(
      `Cannot start as port ${port} of 127.0.0.1 is taken: choose another with --port\n`,
    );
    expect([exitCode, stdout]).toEqual([2, '']);
  });

  test('a failure is one line, never a stack', async () => {
    const api = await healthyApi();
    const { exitCode, stderr } = await runHearth(['start'], {
      nodeArguments: withServer(api, `throw new Error('no disk\\nleft')`),
    });
    expect([exitCode, stderr]).toEqual([1, `Unexpected error: no disk${String.raw`\n`}left\n`]);
  });
});
