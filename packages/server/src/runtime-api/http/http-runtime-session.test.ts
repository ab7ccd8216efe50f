import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RuntimeGoneError, type RuntimeEvent, type RuntimeResult } from '../runtime-session.ts';
import { HttpRuntimeSession, type EventPoll } from './http-runtime-session.ts';
import { event, INIT } from './raw-runtime-fixture.ts';

const noPoll: EventPoll = { deliver: () => {} };

describe('a session', () => {
  test('rejects all that is pending, and all that comes, once it is disposed', async () => {
    const session = new HttpRuntimeSession();
    const init = session.init(INIT);
    const idle = session.idle();
    session[Symbol.dispose]();
    session[Symbol.dispose]();
    for (const call of [
      init,
      idle,
      session.init(INIT),
      session.booted(),
      session.idle(),
      session.invoke(event('r')),
    ]) {
      await expect(call).rejects.toThrow(RuntimeGoneError);
    }
    expect(session.addPoll(noPoll)).toMatchObject({ status: 403 });
  });

  test('an answer that ends after dispose changes nothing', async () => {
    const session = new HttpRuntimeSession();
    session.addPoll(noPoll);
    await session.init(INIT);
    const call = session.invoke(event('r'));
    expect(session.beginAnswer('response', 'r', undefined)).toBeUndefined();
    session[Symbol.dispose]();
    session.endAnswer({ kind: 'response', payload: Buffer.alloc(0), contentType: '' });
    await expect(call).rejects.toThrow(RuntimeGoneError);
  });

  test('says when an answer begins, which may be long before it is whole', async () => {
    const session = new HttpRuntimeSession();
    const init = session.init(INIT);
    session.addPoll({ deliver: () => {} });
    await init;
    let begun = 0;
    const call = session.invoke(event('r1'), () => (begun += 1));
    expect(session.beginAnswer('response', 'r2', undefined)).toBeDefined();
    expect(begun).toBe(0);
    expect(session.beginAnswer('response', 'r1', undefined)).toBeUndefined();
    expect(begun).toBe(1);
    session.endAnswer({ kind: 'response', payload: Buffer.from('1'), contentType: 'a/b' });
    expect(await call).toMatchObject({ kind: 'response' });
  });

  test('takes one event at a time, and none before init', async () => {
    const session = new HttpRuntimeSession();
    session.addPoll(noPoll);
    await expect(session.invoke(event('r0'))).rejects.toThrow('in state Ready');
    await session.init(INIT);
    void session.invoke(event('r1')).catch(() => {});
    await expect(session.invoke(event('r2'))).rejects.toThrow('in state Running');
    session[Symbol.dispose]();
  });

  test('takes an event before the runtime asks for it', async () => {
    const session = new HttpRuntimeSession();
    const poll = recordingPoll();
    session.addPoll(poll);
    session.removePoll(poll);
    await session.init(INIT);
    const call = session.invoke(event('r1'));
    expect(session.beginAnswer('response', 'r1', undefined)).toMatchObject({ status: 400 });
    session.addPoll(poll);
    expect(poll.delivered.map(({ requestId }) => requestId)).toEqual(['r1']);
    session.beginAnswer('response', 'r1', undefined);
    const result: RuntimeResult = { kind: 'response', payload: Buffer.alloc(0), contentType: 'x' };
    session.endAnswer(result);
    expect(await call).toBe(result);
  });
});

interface RecordingPoll extends EventPoll {
  readonly delivered: { requestId: string; invocationId: string }[];
}

function recordingPoll(): RecordingPoll {
  const delivered: RecordingPoll['delivered'] = [];
  return {
    delivered,
    deliver: ({ requestId }: RuntimeEvent, invocationId: string) => {
      delivered.push({ requestId, invocationId });
    },
  };
}

/** What a hostile runtime, its connections and the environment can do, in any order. */
type Step =
  | { readonly do: 'poll' | 'hang-up' | 'lose-delivery'; readonly which: number }
  | {
      readonly do: 'begin';
      readonly kind: 'response' | 'error';
      readonly which: number;
      readonly echo: 'none' | 'latest' | 'first' | 'forged';
    }
  | { readonly do: 'end' | 'begin-init-error' | 'end-init-error' | 'invoke' };

/** Counted from the latest: polls, deliveries, requests. */
const which = fc.nat({ max: 3 });
const steps = fc.array(
  fc.oneof(
    { weight: 9, arbitrary: fc.record({ do: fc.constant('poll' as const), which }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constantFrom('hang-up' as const, 'lose-delivery' as const),
        which,
      }),
    },
    {
      weight: 12,
      arbitrary: fc.record({
        do: fc.constant('begin' as const),
        kind: fc.constantFrom('response' as const, 'error' as const),
        which,
        echo: fc.constantFrom(
          'none' as const,
          'latest' as const,
          'first' as const,
          'forged' as const,
        ),
      }),
    },
    {
      weight: 18,
      arbitrary: fc.record({ do: fc.constantFrom('end' as const, 'invoke' as const) }),
    },
    fc.record({ do: fc.constantFrom('begin-init-error' as const, 'end-init-error' as const) }),
  ),
  { maxLength: 80, size: 'max' },
);

/** Plays steps and keeps account of what was delivered, accepted and settled. */
class Play {
  readonly session = new HttpRuntimeSession();
  readonly polls: RecordingPoll[] = [];
  readonly lost = new Map<string, number>();
  readonly settled = new Map<string, RuntimeResult[]>();
  readonly accepted: string[] = [];
  readonly faults: string[] = [];
  readonly calls: Promise<unknown>[] = [];
  initEnds = 0;
  #nextRequest = 0;
  #begun: string | undefined;
  #isReportingInit = false;

  constructor() {
    this.calls.push(
      this.session.init(INIT).then(
        () => (this.initEnds += 1),
        () => {},
      ),
    );
  }

  async step(step: Step): Promise<void> {
    switch (step.do) {
      case 'poll':
        this.#poll();
        break;
      case 'hang-up': {
        const poll = this.polls.at(-1 - step.which);
        if (poll !== undefined) this.session.removePoll(poll);
        break;
      }
      case 'lose-delivery':
        this.#lose(step.which);
        break;
      case 'begin':
        this.#begin(step);
        break;
      case 'end':
        this.#end();
        break;
      case 'begin-init-error':
        this.#isReportingInit = this.session.beginInitError() === undefined;
        break;
      case 'end-init-error':
        if (this.#isReportingInit) this.session.endInitError(failed('init'));
        this.#isReportingInit = false;
        break;
      default:
        this.#invoke();
    }
    // Promises settle between the steps, as they do between network events.
    await Promise.resolve();
  }

  #poll(): void {
    const poll = recordingPoll();
    this.polls.push(poll);
    this.session.addPoll(poll);
  }

  #lose(index: number): void {
    const delivery = this.polls.filter(({ delivered }) => delivered.length > 0).at(-1 - index)
      ?.delivered[0];
    if (delivery === undefined) return;
    const { requestId, invocationId } = delivery;
    this.lost.set(requestId, (this.lost.get(requestId) ?? 0) + 1);
    this.session.undelivered(invocationId);
  }

  #begin(step: Extract<Step, { do: 'begin' }>): void {
    const deliveries = this.polls.flatMap(({ delivered }) => delivered);
    const requestIds = [...new Set(deliveries.map((delivery) => delivery.requestId))];
    const requestId = requestIds.at(-1 - step.which) ?? 'forged';
    const ids = deliveries
      .filter((delivery) => delivery.requestId === requestId)
      .map(({ invocationId }) => invocationId);
    const echo = { none: undefined, latest: ids.at(-1), first: ids[0], forged: 'forged' }[
      step.echo
    ];
    if (this.session.beginAnswer(step.kind, requestId, echo) !== undefined) return;
    if (this.#begun !== undefined) this.faults.push('an answer began within another');
    if (echo !== undefined && echo !== ids.at(-1)) this.faults.push(`${echo} was no match`);
    this.#begun = requestId;
  }

  #end(): void {
    if (this.#begun === undefined) return;
    this.accepted.push(this.#begun);
    this.session.endAnswer(failed(this.#begun));
    this.#begun = undefined;
  }

  #invoke(): void {
    const requestId = `r${this.#nextRequest}`;
    const call = this.session.invoke(event(requestId)).then(
      (result) => {
        this.settled.set(requestId, [...(this.settled.get(requestId) ?? []), result]);
      },
      () => {},
    );
    this.calls.push(call);
    this.#nextRequest += 1;
  }
}

function failed(requestId: string): RuntimeResult {
  return { kind: 'error', errorType: requestId, payload: Buffer.alloc(0) };
}

describe('whatever a hostile runtime does', () => {
  test('an event is delivered once, unless its delivery was lost, and answered once, with its own answer', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (played) => {
        const play = new Play();
        for (const step of played) await play.step(step);
        play.session[Symbol.dispose]();
        await Promise.all(play.calls);

        const deliveries = new Map<string, number>();
        const invocationIds: string[] = [];
        for (const { delivered } of play.polls) {
          expect(delivered.length).toBeLessThanOrEqual(1);
          for (const { requestId, invocationId } of delivered) {
            deliveries.set(requestId, (deliveries.get(requestId) ?? 0) + 1);
            invocationIds.push(invocationId);
          }
        }
        expect(new Set(invocationIds).size).toBe(invocationIds.length);
        for (const [requestId, count] of deliveries) {
          expect(count).toBeLessThanOrEqual(1 + (play.lost.get(requestId) ?? 0));
        }
        expect(new Set(play.accepted).size).toBe(play.accepted.length);
        for (const [requestId, results] of play.settled) {
          expect(results).toEqual([failed(requestId)]);
          expect(deliveries.has(requestId)).toBe(true);
        }
        expect([...play.settled.keys()].toSorted()).toEqual(play.accepted.toSorted());
        expect(play.faults).toEqual([]);
        expect(play.initEnds).toBeLessThanOrEqual(1);
      }),
      { numRuns: 1_000 },
    );
  });
});
