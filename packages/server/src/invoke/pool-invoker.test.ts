import { describe, expect, test } from 'vitest';
import { startPool, testVersion, type PoolUnderTest } from '../pool/pool-fixture.ts';
import { FRAME } from '../runtime-api/framed/frame-codec.ts';
import { Admission } from './admission.ts';
import { PoolInvoker } from './pool-invoker.ts';

const INVOCATION = { requestId: 'r', payload: Buffer.from('{}'), invokedFunctionArn: 'arn' };

interface Held {
  readonly under: PoolUnderTest;
  readonly invoker: PoolInvoker;
  /** Settles when the event has come to the runtime, with what answers it. */
  readonly arrived: Promise<() => void>;
}

/** A pool whose one event runs until it is answered. */
function startHeld(): Held {
  const { promise: arrived, resolve } = Promise.withResolvers<() => void>();
  const under = startPool(() => ({
    onInvoke: (_guest, send, requestId) =>
      resolve(() => send(FRAME.response, { requestId }, Buffer.from('1'))),
  }));
  return { under, arrived, invoker: new PoolInvoker(new Admission(10), under.pool) };
}

describe('pool invoker', () => {
  test('draining waits for the event that runs and refuses others', async () => {
    const { under, invoker, arrived } = startHeld();
    await using _pool = under;
    const outcome = invoker.invoke(testVersion(), INVOCATION);
    const answer = await arrived;
    let isDrained = false;
    const drained = invoker.drain(under.clock, 60_000).then(() => {
      isDrained = true;
    });
    await expect(invoker.invoke(testVersion(), INVOCATION)).rejects.toMatchObject({
      code: 'ServiceException',
    });
    expect(isDrained).toBe(false);
    answer();
    expect((await outcome).kind).toBe('success');
    await drained;
  });

  test('draining gives up after its limit', async () => {
    const { under, invoker, arrived } = startHeld();
    await using _pool = under;
    const version = testVersion({ timeoutSeconds: 900 });
    const outcome = invoker.invoke(version, INVOCATION);
    await arrived;
    const drained = invoker.drain(under.clock, 20_000);
    under.clock.advance(20_000);
    await drained;
    await under.pool[Symbol.asyncDispose]();
    expect((await outcome).kind).toBe('function-error');
  });

  test('draining with nothing to wait for settles at once', async () => {
    const { under, invoker } = startHeld();
    await using _pool = under;
    await invoker.drain(under.clock, 60_000);
    expect(under.clock.pendingTimers).toBe(0);
  });
});
