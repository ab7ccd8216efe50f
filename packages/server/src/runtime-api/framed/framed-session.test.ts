import { once } from 'node:events';
import { Duplex, duplexPair } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { MAX_RESPONSE_BYTES } from '../../domain/limits.ts';
import type { RuntimeEvent, RuntimeInit, RuntimeResult } from '../runtime-session.ts';
import { encodeFrame, encodeFrameHead, FRAME, FrameDecoder, type Frame } from './frame-codec.ts';
import { FramedSession } from './framed-session.ts';

const INIT: RuntimeInit = {
  handler: 'index.handler',
  taskRoot: '/var/task',
  optRoot: '/opt',
  runtime: 'nodejs22.x',
  environment: { A: 'b' },
  functionName: 'f',
  functionVersion: '$LATEST',
  memoryLimitInMB: '128',
  logGroupName: 'g',
  logStreamName: 's',
  warnings: [],
};

const EVENT: RuntimeEvent = {
  requestId: 'r1',
  deadlineMs: 5,
  invokedFunctionArn: 'arn',
  payload: Buffer.from('{}'),
};

/** The guest's end of a channel, played by a test. */
class ScriptedGuest {
  readonly channel: Duplex;
  readonly session: FramedSession;
  readonly #frames: Frame[] = [];
  #wake: () => void = () => {};

  constructor() {
    const [server, guest] = duplexPair();
    this.channel = guest;
    this.session = new FramedSession(server);
    const decoder = new FrameDecoder((frame) => {
      this.#frames.push(frame);
      this.#wake();
    });
    guest.on('data', (chunk: Buffer) => decoder.write(chunk));
  }

  send(type: number, header: object, payload = ''): void {
    this.channel.write(encodeFrame(type, header, Buffer.from(payload)));
  }

  async received(): Promise<Frame> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) return frame;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Boots and inits, so that the session takes events. */
  async ready(): Promise<void> {
    this.send(FRAME.booted, {});
    const init = this.session.init(INIT);
    await this.received();
    this.send(FRAME.ready, {});
    await init;
  }
}

const guests: ScriptedGuest[] = [];

async function readyGuest(): Promise<ScriptedGuest> {
  const guest = newGuest();
  await guest.ready();
  return guest;
}

function newGuest(): ScriptedGuest {
  const guest = new ScriptedGuest();
  guests.push(guest);
  return guest;
}

afterEach(() => {
  for (const guest of guests.splice(0)) guest.session[Symbol.dispose]();
});

function textOf(result: RuntimeResult): string {
  return result.kind === 'ready' ? '' : Buffer.from(result.payload).toString();
}

describe('a conversation', () => {
  test('INIT carries what the runtime is told', async () => {
    const guest = newGuest();
    guest.send(FRAME.booted, { languageVersion: '22' });
    await guest.session.booted();
    const init = guest.session.init(INIT);
    const frame = await guest.received();
    expect([frame.type, frame.header]).toEqual([FRAME.init, INIT]);
    guest.send(FRAME.initError, { errorType: 'Broken' }, '{"a":1}');
    const result = await init;
    expect(result).toMatchObject({ kind: 'error', errorType: 'Broken' });
    expect(textOf(result)).toBe('{"a":1}');
    await expect(guest.session.invoke(EVENT)).rejects.toThrow('that is failed');
  });

  test('READY answers init', async () => {
    const guest = newGuest();
    guest.send(FRAME.booted, {});
    const init = guest.session.init(INIT);
    await guest.received();
    guest.send(FRAME.ready, {});
    expect(await init).toEqual({ kind: 'ready' });
  });

  test('INVOKE carries the event, and only the fields that it has', async () => {
    const guest = await readyGuest();
    const call = guest.session.invoke({ ...EVENT, traceId: 't', payload: Buffer.from('[1]') });
    const frame = await guest.received();
    expect(frame.type).toBe(FRAME.invoke);
    expect(frame.header).toEqual({
      requestId: 'r1',
      deadlineMs: 5,
      invokedFunctionArn: 'arn',
      traceId: 't',
    });
    expect(frame.payload.toString()).toBe('[1]');
    guest.send(FRAME.response, { requestId: 'r1' }, 'ok');
    const result = await call;
    expect(result).toMatchObject({ kind: 'response', contentType: 'application/json' });
    expect(textOf(result)).toBe('ok');
  });

  test('a large event arrives whole', async () => {
    const guest = await readyGuest();
    const payload = Buffer.alloc(1_000_000, 'x');
    const call = guest.session.invoke({ ...EVENT, payload });
    expect((await guest.received()).payload.equals(payload)).toBe(true);
    guest.send(FRAME.response, { requestId: 'r1' });
    await call;
  });

  test('an error is told, and whether the runtime goes on', async () => {
    const guest = await readyGuest();
    const first = guest.session.invoke(EVENT);
    guest.send(FRAME.error, { requestId: 'r1', errorType: 'TypeError' }, 'e');
    expect(await first).toEqual({
      kind: 'error',
      errorType: 'TypeError',
      payload: Buffer.from('e'),
    });
    const second = guest.session.invoke(EVENT);
    guest.send(FRAME.error, { requestId: 'r1', errorType: 'E', fatal: true }, 'e');
    expect(await second).toMatchObject({ kind: 'error', fatal: true });
  });

  test('a streamed result is one response', async () => {
    const guest = await readyGuest();
    const call = guest.session.invoke(EVENT);
    guest.send(FRAME.streamStart, { requestId: 'r1', contentType: 'text/html' });
    guest.send(FRAME.streamChunk, { requestId: 'r1' }, 'a');
    guest.send(FRAME.streamChunk, { requestId: 'r1' }, '');
    guest.send(FRAME.streamChunk, { requestId: 'r1' }, 'bc');
    guest.send(FRAME.streamEnd, { requestId: 'r1' });
    const result = await call;
    expect(result).toMatchObject({ kind: 'response', contentType: 'text/html' });
    expect(textOf(result)).toBe('abc');
  });

  test('a stream that ends with an error is that error', async () => {
    const guest = await readyGuest();
    const call = guest.session.invoke(EVENT);
    guest.send(FRAME.streamStart, { requestId: 'r1' });
    guest.send(FRAME.streamChunk, { requestId: 'r1' }, 'a');
    guest.send(FRAME.streamEnd, { requestId: 'r1', errorType: 'Late' }, 'e');
    expect(await call).toEqual({ kind: 'error', errorType: 'Late', payload: Buffer.from('e') });
  });

  test('names that do not fit into a log line or a header are made to', async () => {
    const guest = await readyGuest();
    const first = guest.session.invoke(EVENT);
    guest.send(FRAME.error, { requestId: 'r1', errorType: `a\n\u0085b${'x'.repeat(500)}` });
    const error = await first;
    expect(error).toMatchObject({ errorType: `a b${'x'.repeat(252)}` });
    const second = guest.session.invoke(EVENT);
    guest.send(FRAME.error, { requestId: 'r1', errorType: { a: 1 } });
    expect(await second).toMatchObject({ errorType: 'Runtime.Unknown' });
    const third = guest.session.invoke(EVENT);
    guest.send(FRAME.response, { requestId: 'r1', contentType: 'text/html\r\nSet-Cookie: a' });
    expect(await third).toMatchObject({ contentType: 'application/octet-stream' });
  });
});

describe('a result that is too large', () => {
  const TOO_LARGE =
    '{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).",' +
    '"errorType":"Function.ResponseSizeTooLarge"}';

  test('as one response is refused, and the next event is taken', async () => {
    const guest = await readyGuest();
    const call = guest.session.invoke(EVENT);
    guest.channel.write(
      encodeFrameHead(FRAME.response, { requestId: 'r1' }, MAX_RESPONSE_BYTES + 1),
    );
    guest.channel.write(Buffer.alloc(MAX_RESPONSE_BYTES + 1));
    const result = await call;
    expect(result).toMatchObject({ kind: 'error', errorType: 'Function.ResponseSizeTooLarge' });
    expect(textOf(result)).toBe(TOO_LARGE);
    const next = guest.session.invoke(EVENT);
    guest.send(FRAME.response, { requestId: 'r1' }, 'ok');
    expect(textOf(await next)).toBe('ok');
  });

  test('as a stream is refused, and the next event is taken', async () => {
    const guest = await readyGuest();
    const call = guest.session.invoke(EVENT);
    guest.send(FRAME.streamStart, { requestId: 'r1' });
    const chunk = encodeFrame(FRAME.streamChunk, { requestId: 'r1' }, Buffer.alloc(1_048_576));
    for (let sent = 0; sent <= MAX_RESPONSE_BYTES; sent += 1_048_576) guest.channel.write(chunk);
    guest.send(FRAME.streamEnd, { requestId: 'r1' });
    expect(textOf(await call)).toBe(TOO_LARGE);
    const next = guest.session.invoke(EVENT);
    guest.send(FRAME.response, { requestId: 'r1' }, 'ok');
    expect(textOf(await next)).toBe('ok');
  });
});

describe('breaking the protocol', () => {
  const unasked: [string, (guest: ScriptedGuest) => void][] = [
    ['noise', (guest) => void guest.channel.write('GET / HTTP/1.1\r\n\r\n')],
    ['an unknown type', (guest) => guest.send(0x42, {})],
    ['a second BOOTED', (guest) => guest.send(FRAME.booted, {})],
    ['E54 a second READY', (guest) => guest.send(FRAME.ready, {})],
    [
      'E50 an answer to another request',
      (guest) => guest.send(FRAME.response, { requestId: 'r2' }),
    ],
    ['E50 an answer to no request', (guest) => guest.send(FRAME.error, { errorType: 'E' })],
    ['a chunk before the start', (guest) => guest.send(FRAME.streamChunk, { requestId: 'r1' })],
    [
      'a response within a stream',
      (guest) => {
        guest.send(FRAME.streamStart, { requestId: 'r1' });
        guest.send(FRAME.response, { requestId: 'r1' });
      },
    ],
  ];

  test.each(unasked)('%s ends the pending call and every later one', async (_, act) => {
    const guest = await readyGuest();
    const call = guest.session.invoke(EVENT);
    act(guest);
    const violated = { name: 'RuntimeGoneError', protocolViolation: expect.any(String) };
    await expect(call).rejects.toMatchObject(violated);
    await expect(guest.session.invoke(EVENT)).rejects.toMatchObject(violated);
  });

  test('E51 a second answer ends the session, as the next call tells', async () => {
    const guest = await readyGuest();
    const call = guest.session.invoke(EVENT);
    const frame = encodeFrame(FRAME.response, { requestId: 'r1' }, Buffer.from('first'));
    guest.channel.write(Buffer.concat([frame, frame]));
    expect(textOf(await call)).toBe('first');
    await expect(guest.session.invoke(EVENT)).rejects.toMatchObject({
      protocolViolation: 'a frame of type 0x84 while idle',
    });
  });

  test('E52 a late answer ends the session while nobody calls, and then the next call', async () => {
    const guest = await readyGuest();
    const call = guest.session.invoke(EVENT);
    guest.send(FRAME.response, { requestId: 'r1' }, '1');
    expect(textOf(await call)).toBe('1');
    guest.send(FRAME.response, { requestId: 'r1' }, '"late"');
    const violated = { protocolViolation: 'a frame of type 0x84 while idle' };
    expect(await guest.session.gone).toMatchObject(violated);
    const next = guest.session.invoke({ ...EVENT, requestId: 'r2' });
    await expect(next).rejects.toMatchObject(violated);
  });

  test('E53 there is no event but the one of the call', async () => {
    const guest = await readyGuest();
    const call = guest.session.invoke(EVENT);
    await expect(guest.session.invoke({ ...EVENT, requestId: 'r2' })).rejects.toThrow(
      'Cannot invoke a runtime that is invoking',
    );
    guest.send(FRAME.response, { requestId: 'r1' }, '1');
    expect(textOf(await call)).toBe('1');
  });

  test('a runtime that speaks before it has booted is refused', async () => {
    const guest = newGuest();
    guest.send(FRAME.ready, {});
    await expect(guest.session.booted()).rejects.toMatchObject({
      protocolViolation: 'a frame of type 0x82 while booting',
    });
    await expect(guest.session.init(INIT)).rejects.toMatchObject({ name: 'RuntimeGoneError' });
  });
});

describe('the end', () => {
  test('a channel that ends is no violation', async () => {
    const guest = await readyGuest();
    const call = guest.session.invoke(EVENT);
    guest.channel.end();
    await expect(call).rejects.toMatchObject({
      name: 'RuntimeGoneError',
      protocolViolation: undefined,
    });
    await expect(guest.session.invoke(EVENT)).rejects.toMatchObject({
      protocolViolation: undefined,
    });
  });

  test('a channel that fails, also later on, ends the session and not the server', async () => {
    const channel = new Duplex({
      read() {},
      write: (_chunk, _encoding, done) => done(new Error('EPIPE')),
    });
    const session = new FramedSession(channel);
    channel.push(encodeFrame(FRAME.booted, {}));
    await expect(session.init(INIT)).rejects.toMatchObject({
      name: 'RuntimeGoneError',
      message: 'The channel failed: EPIPE',
    });
    channel.emit('error', new Error('once more'));
    await expect(session.init(INIT)).rejects.toMatchObject({
      message: 'The channel failed: EPIPE',
    });
  });

  test('disposing rejects what is pending and closes the channel', async () => {
    const guest = await readyGuest();
    const call = guest.session.invoke(EVENT);
    const closed = once(guest.channel, 'end');
    guest.session[Symbol.dispose]();
    await expect(call).rejects.toMatchObject({ message: 'The session was disposed' });
    guest.session[Symbol.dispose]();
    await closed;
  });

  test('a session that nobody waits for may end while booting', async () => {
    const [server, guest] = duplexPair();
    const session = new FramedSession(server);
    guest.end();
    await once(server, 'close');
    await expect(session.booted()).rejects.toMatchObject({ name: 'RuntimeGoneError' });
  });

  test('calls out of order are refused', async () => {
    const guest = newGuest();
    await expect(guest.session.invoke(EVENT)).rejects.toThrow('that is booting');
    await guest.ready();
    await expect(guest.session.init(INIT)).rejects.toThrow('that is idle');
    const call = guest.session.invoke(EVENT);
    await expect(guest.session.invoke(EVENT)).rejects.toThrow('that is invoking');
    guest.send(FRAME.response, { requestId: 'r1' });
    await call;
  });
});

test('an event is one write', async () => {
  const writes: Buffer[] = [];
  const channel = new Duplex({
    read() {},
    write: (chunk: Buffer, _encoding, done) => {
      writes.push(chunk);
      done();
    },
  });
  using session = new FramedSession(channel);
  channel.push(encodeFrame(FRAME.booted, {}));
  const init = session.init(INIT);
  await session.booted();
  channel.push(encodeFrame(FRAME.ready, {}));
  await init;
  writes.length = 0;
  const call = session.invoke(EVENT);
  channel.push(encodeFrame(FRAME.response, { requestId: 'r1' }));
  await call;
  expect(writes).toHaveLength(1);
});
