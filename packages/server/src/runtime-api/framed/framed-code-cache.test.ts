import { Duplex } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import type { CodeCacheTerms, RuntimeInit } from '../runtime-session.ts';
import { encodeFrame, FRAME, FrameDecoder, type Frame } from './frame-codec.ts';
import { FramedSession } from './framed-session.ts';

const INIT: RuntimeInit = {
  handler: 'index.handler',
  taskRoot: '/var/task',
  optRoot: '/opt',
  runtime: 'nodejs24.x',
  environment: {},
  functionName: 'f',
  functionVersion: '$LATEST',
  memoryLimitInMB: '128',
  logGroupName: 'g',
  logStreamName: 's',
  warnings: [],
};
const EVENT = { requestId: 'r1', deadlineMs: 5, invokedFunctionArn: 'arn', payload: Buffer.of() };

const sessions: FramedSession[] = [];

afterEach(() => {
  for (const session of sessions.splice(0)) session[Symbol.dispose]();
});

/** A session whose guest has answered INIT with `ready`, and what INIT said. */
async function start(
  codeCache: CodeCacheTerms | undefined,
  ready: object = {},
): Promise<{
  session: FramedSession;
  init: Frame | undefined;
  result: unknown;
  send: (type: number, header: object, payload?: string) => void;
}> {
  let init: Frame | undefined;
  const decoder = new FrameDecoder((frame) => {
    init ??= frame;
  });
  const channel = new Duplex({
    read() {},
    write: (chunk: Buffer, _encoding, done) => {
      decoder.write(chunk);
      done();
    },
  });
  const session = new FramedSession(channel);
  sessions.push(session);
  const send = (type: number, header: object, payload = ''): void =>
    void channel.push(encodeFrame(type, header, Buffer.from(payload)));
  send(FRAME.booted, {});
  await session.booted();
  const call = session.init(codeCache === undefined ? INIT : { ...INIT, codeCache });
  await Promise.resolve();
  send(FRAME.ready, ready);
  return { session, result: await call, init, send };
}

function collecting(): { terms: CodeCacheTerms; received: string[] } {
  const received: string[] = [];
  const sink = {
    add: (chunk: Uint8Array) => void received.push(Buffer.from(chunk).toString()),
    end: () => void received.push('end'),
  };
  return { terms: { sink }, received };
}

async function answered(
  under: Awaited<ReturnType<typeof start>>,
  requestId = 'r1',
): Promise<FramedSession> {
  const call = under.session.invoke({ ...EVENT, requestId });
  under.send(FRAME.response, { requestId });
  await call;
  return under.session;
}

describe('compiled code over the channel', () => {
  test('INIT says where it is, and whether it is wanted', async () => {
    expect((await start(undefined)).init?.header).toEqual(INIT);
    expect((await start({})).init?.header).toEqual(INIT);
    expect((await start({ folder: '/cache' })).init?.header).toEqual({
      ...INIT,
      codeCache: '/cache',
    });
    expect((await start(collecting().terms)).init?.header).toEqual({
      ...INIT,
      collectCodeCache: true,
    });
  });

  test('READY tells that it does not fit', async () => {
    const { result } = await start({ folder: '/cache' }, { codeCache: 'rejected' });
    expect(result).toEqual({ kind: 'ready', codeCacheRejected: true });
  });

  test('comes in pieces after an answer, and the next event does not wait for it', async () => {
    const { terms, received } = collecting();
    const under = await start(terms);
    await answered(under);
    under.send(FRAME.codeCache, {}, 'one');
    const second = under.session.invoke({ ...EVENT, requestId: 'r2' });
    under.send(FRAME.codeCache, { last: true }, 'two');
    under.send(FRAME.response, { requestId: 'r2' });
    expect(await second).toMatchObject({ kind: 'response' });
    expect(received).toEqual(['one', 'two', 'end']);
  });

  test.each([
    ['that was not wanted', { folder: '/cache' }, true],
    ['that was not spoken of', undefined, true],
    ['before an event was answered', collecting().terms, false],
  ] as const)('code %s breaks the protocol', async (_, terms, isAnswered) => {
    const under = await start(terms);
    if (isAnswered) await answered(under);
    const call = under.session.invoke({ ...EVENT, requestId: 'r2' });
    under.send(FRAME.codeCache, { last: true }, 'code');
    await expect(call).rejects.toMatchObject({
      protocolViolation: 'compiled code that it was not asked for',
    });
  });

  test('more of it after the last piece breaks the protocol', async () => {
    const { terms, received } = collecting();
    const under = await start(terms);
    await answered(under);
    under.send(FRAME.codeCache, { last: true }, 'one');
    const call = under.session.invoke({ ...EVENT, requestId: 'r2' });
    under.send(FRAME.codeCache, { last: true }, 'two');
    await expect(call).rejects.toMatchObject({ name: 'RuntimeGoneError' });
    expect(received).toEqual(['one', 'end']);
  });
});
