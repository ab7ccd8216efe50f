import { describe, expect, test } from 'vitest';
import { StartGate, type StartSlot } from './start-gate.ts';

describe('start gate', () => {
  test('no more than its slots are held at once, in the order of arrival', async () => {
    const gate = new StartGate(2);
    const held: { index: number; slot: StartSlot }[] = [];
    const enter = async (index: number): Promise<void> => {
      held.push({ index, slot: await gate.enter() });
    };
    const entering = [0, 1, 2, 3].map(enter);
    await Promise.all([entering[0], entering[1]]);
    expect(held.map(({ index }) => index)).toEqual([0, 1]);
    expect(gate.isIdle).toBe(false);
    held[1]?.slot.leave();
    held[1]?.slot.leave();
    await entering[2];
    expect(held.map(({ index }) => index)).toEqual([0, 1, 2]);
    held[0]?.slot.leave();
    await entering[3];
    for (const { slot } of held) slot.leave();
    expect(gate.isIdle).toBe(true);
  });

  test('a turn that was given up is waited for again', async () => {
    const gate = new StartGate(1);
    const first = await gate.enter();
    await first.enter();
    const second = gate.enter();
    first.leave();
    const slot = await second;
    let again = false;
    const back = first.enter().then(() => {
      again = true;
    });
    await Promise.resolve();
    expect(again).toBe(false);
    slot.leave();
    await back;
    first.leave();
    expect(gate.isIdle).toBe(true);
  });
});
