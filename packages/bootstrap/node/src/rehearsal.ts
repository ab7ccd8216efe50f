import { Bootstrap } from './bootstrap.ts';
import { Channel, type ChannelSocket } from './channel.ts';
import { encodeFrame, FRAME, FrameReader, type Payload } from './frames.ts';
import type { InitHeader, InvokeHeader } from './protocol.ts';

/** What the rehearsed function is told; `handler` names one of those in the warm-up folder. */
export interface RehearsalPlan {
  readonly init: InitHeader;
  readonly events: number;
}

const ANSWERS: ReadonlySet<number> = new Set([FRAME.response, FRAME.error, FRAME.streamEnd]);

/** A stand-in for the socket: nothing waits in it, and nothing keeps the process alive by it. */
const SOCKET: ChannelSocket = {
  writableLength: 0,
  write: (_bytes, onWritten) => setImmediate(onWritten),
  ref: () => undefined,
  unref: () => undefined,
};

/** The very channel of a function, but that it ends in `sinkFd` and tells what was sent. */
class RehearsalChannel extends Channel {
  onSent: (type: number, payload: Payload) => void = () => {};

  constructor(sinkFd: number) {
    super(sinkFd, SOCKET);
  }

  override send(type: number, header: string, payload?: Payload, onSent?: () => void): void {
    super.send(type, header, payload, onSent);
    this.onSent(type, payload ?? '');
  }
}

/**
 * Runs init and events of a function of our own through all that a real one goes through, so that
 * its code is compiled and its paths are known when the real one comes. Answers the code cache where
 * one was asked for. Rejects where the function does not get ready.
 */
export async function rehearse(plan: RehearsalPlan, sinkFd: number): Promise<Uint8Array[]> {
  const channel = new RehearsalChannel(sinkFd);
  const server: { reader?: FrameReader } = {};
  // eslint-disable-next-line no-new -- it lives by the frames that it gets
  new Bootstrap((onFrame) => {
    server.reader = new FrameReader(onFrame);
    return channel;
  }, sinkFd);
  const { reader } = server;
  if (reader === undefined) throw new Error('A bootstrap must connect when it is made');
  const cache: Uint8Array[] = [];
  const sent = (wanted: ReadonlySet<number>): Promise<void> =>
    new Promise((resolve, reject) => {
      channel.onSent = (type, payload) => {
        if (wanted.has(type)) resolve();
        else if (type === FRAME.initError) reject(new Error(`Cannot rehearse: ${String(payload)}`));
        else if (type === FRAME.codeCache && typeof payload !== 'string') cache.push(payload);
      };
    });
  const ready = sent(READY);
  reader.read(encodeFrame(FRAME.init, JSON.stringify(plan.init)));
  await ready;
  for (let i = 0; i < plan.events; i += 1) {
    const answered = sent(ANSWERS);
    reader.read(encodeFrame(FRAME.invoke, JSON.stringify(EVENT), EVENT_PAYLOAD));
    await answered;
  }
  if (plan.init.collectCodeCache === true) await sent(CODE_CACHE);
  return cache;
}

const READY: ReadonlySet<number> = new Set([FRAME.ready]);
const CODE_CACHE: ReadonlySet<number> = new Set([FRAME.codeCache]);

const EVENT: InvokeHeader = {
  requestId: '00000000-0000-4000-8000-000000000000',
  deadlineMs: 0,
  invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:rehearsal',
  traceId: 'Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0',
  clientContext: '{"custom":{}}',
  cognitoIdentity: '{"cognitoIdentityId":"id","cognitoIdentityPoolId":"pool"}',
};

/** Of the kind that an HTTP request makes, in small. */
const EVENT_PAYLOAD = JSON.stringify({
  version: '2.0',
  rawPath: '/path',
  headers: { host: 'example.com', 'content-type': 'application/json' },
  requestContext: { http: { method: 'POST', path: '/path' }, timeEpoch: 1_700_000_000_000 },
  body: '{"values":[1,2.5,true,null,"text"]}',
  isBase64Encoded: false,
});
