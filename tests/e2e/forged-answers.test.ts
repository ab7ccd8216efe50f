import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FRAME } from '../../packages/server/src/runtime-api/framed/frame-codec.ts';
import { environmentsOf } from '../support/environments.ts';
import { deploy, invokeWithLog, type InvokeAnswer } from '../support/function.ts';
import { findPython } from '../support/python.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const python = await findPython();

/**
 * Both functions answer with how often their process was called, and before that write a frame of
 * their own to the channel of their runtime where the event says so: `{type, about, payload,
 * twice?}`, with `about` the request it is for (`own`, `previous` or an id).
 */
const NODE = {
  'index.js': `
    const fs = require('node:fs');
    let calls = 0;
    let previous;
    exports.handler = async ({ forge, call }, { awsRequestId }) => {
      calls += 1;
      const ids = { own: awsRequestId, previous };
      previous ??= awsRequestId;
      if (forge) {
        const header = Buffer.from(JSON.stringify({ requestId: ids[forge.about] ?? forge.about }));
        const payload = Buffer.from(JSON.stringify(forge.payload));
        const head = Buffer.alloc(9);
        head.writeUInt32BE(5 + header.length + payload.length, 0);
        head[4] = forge.type;
        head.writeUInt32BE(header.length, 5);
        const frame = [head, header, payload];
        fs.writeSync(3, Buffer.concat(forge.twice ? [...frame, ...frame] : frame));
      }
      if (!call) return calls;
      const api = 'http://' + process.env.AWS_LAMBDA_RUNTIME_API + '/2018-06-01/runtime/';
      const own = api + 'invocation/' + awsRequestId;
      const statuses = [];
      for (const [method, url] of [
        ['GET', api + 'invocation/next'], ['POST', own + '/response'], ['POST', own + '/error'],
        ['POST', api + 'init/error'],
      ]) statuses.push((await fetch(url, { method, body: method === 'GET' ? null : '"forged"' })).status);
      return statuses;
    };`,
};

const PYTHON = {
  'index.py': `
import json, os, struct

calls = 0
previous = None

def handler(event, context):
    global calls, previous
    calls += 1
    ids = {"own": context.aws_request_id, "previous": previous}
    previous = previous or context.aws_request_id
    forge = event.get("forge")
    if forge:
        header = json.dumps({"requestId": ids.get(forge["about"], forge["about"])}).encode()
        payload = json.dumps(forge["payload"]).encode()
        size = 5 + len(header) + len(payload)
        frame = struct.pack(">IBI", size, forge["type"], len(header)) + header + payload
        os.write(3, frame * 2 if forge.get("twice") else frame)
    return calls
`,
};

const LANGUAGES = [
  { runtime: 'nodejs24.x', files: NODE, obstacle: undefined },
  {
    runtime: 'python3.12',
    files: PYTHON,
    obstacle: python === undefined ? 'no Python 3.9 or newer on PATH' : undefined,
  },
] as const;

const forged = (type: number, about: string, twice = false): object => ({
  forge: { type, about, payload: 'forged', twice },
});

/** It is killed, if it does not exit first because its channel is closed. */
const REFUSED = {
  functionError: 'Unhandled',
  result: {
    errorType: 'Runtime.ExitError',
    errorMessage: expect.stringMatching(
      /^RequestId: \S+ Error: Runtime exited (with error: signal: killed|without providing a reason)$/,
    ),
  },
};

describe.each(LANGUAGES)(
  'frames that a $runtime function forges',
  ({ runtime, files, obstacle }) => {
    let server: TestServer;

    beforeAll(async () => {
      server = await startTestServer();
      if (obstacle !== undefined) return;
      await deploy(server.client, 'forger', files, { Runtime: runtime, Timeout: 20 });
    });

    afterAll(() => server[Symbol.asyncDispose]());

    const call = (event: object): Promise<InvokeAnswer> =>
      invokeWithLog(server.client, 'forger', event);

    /** The environment is the same, its process is not. */
    async function expectReplaced(): Promise<void> {
      expect((await call({})).result).toBe(1);
      expect(await environmentsOf(server, 'forger')).toHaveLength(1);
    }

    test('E50 an answer to a request of somebody else ends the process', async (context) => {
      context.skip(obstacle !== undefined, obstacle);
      expect(
        await call(forged(FRAME.response, '00000000-0000-0000-0000-000000000000')),
      ).toMatchObject(REFUSED);
      await expectReplaced();
    });

    test('E51 of two answers the first counts, and the next event gets its own', async (context) => {
      context.skip(obstacle !== undefined, obstacle);
      expect((await call(forged(FRAME.response, 'own', true))).result).toBe('forged');
      await expectReplaced();
    });

    test('E52 an answer to the event before is not the answer to this one', async (context) => {
      context.skip(obstacle !== undefined, obstacle);
      // The environment knows its first request from here on.
      await call({});
      expect(await call(forged(FRAME.response, 'previous'))).toMatchObject(REFUSED);
      await expectReplaced();
    });

    test('E54 a second READY ends the process', async (context) => {
      context.skip(obstacle !== undefined, obstacle);
      expect(await call(forged(FRAME.ready, 'own'))).toMatchObject(REFUSED);
      await expectReplaced();
    });
  },
);

test('E50 at the Runtime API the own code of a function with Hearth’s runtime gets nothing', async () => {
  await using server = await startTestServer();
  await deploy(server.client, 'caller', NODE, { Timeout: 20 });
  const { result } = await invokeWithLog(server.client, 'caller', { call: true });
  expect(result).toEqual([403, 403, 403, 403]);
});
