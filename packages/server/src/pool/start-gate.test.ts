import { describe, expect, test } from 'vitest';
import { StartGate } from './start-gate.ts';

describe('start gate', () => {
  test('no more than its slots run at once, in the order of arrival', async () => {
    const gate = new StartGate(2);
    const finish: (() => void)[] = [];
    const started: number[] = [];
    const runs = [0, 1, 2, 3].map((index) =>
      gate.run(async () => {
        started.push(index);
        await new Promise<void>((resolve) => finish.push(resolve));
      }),
    );
    expect(started).toEqual([0, 1]);
    finish[1]?.();
    await runs[1];
    await Promise.resolve();
    expect(started).toEqual([0, 1, 2]);
    finish[0]?.();
    finish[2]?.();
    await Promise.all([runs[0], runs[2]]);
    finish[3]?.();
    await runs[3];
    expect(started).toEqual([0, 1, 2, 3]);
  });

  test('a start that fails gives its slot back', async () => {
    const gate = new StartGate(1);
    await expect(gate.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(gate.run(() => Promise.resolve('yes'))).resolves.toBe('yes');
  });
});
