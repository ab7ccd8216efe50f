import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { invoke, invokeWithLog } from '../support/function.ts';
import { HostileServer } from '../support/hostile-server.ts';

/** Processes that do nothing but run, and the share of a core that all of them have had. */
const SPIN_PY = `
import os, resource, time
calls = 0

def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass

def handler(event, context):
    global calls
    calls += 1
    if not event.get("processes"):
        return calls
    began = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(event["processes"]):
        if os.fork() == 0:
            try:
                os.nice(-20)
            except PermissionError:
                pass
            spin(event["seconds"])
            os._exit(0)
    for _ in range(event["processes"]):
        os.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used / (time.monotonic() - began)
`;

const CORES_PER_MB = 1 / 1_769;

describe('D. Exhaustion of the CPU', () => {
  let hostile: HostileServer;
  beforeAll(async () => {
    hostile = await HostileServer.open();
  });
  afterAll(async () => {
    await hostile[Symbol.asyncDispose]();
  });

  test('D41 however many processes spin, their share follows the memory', async (context) => {
    hostile.requires(context, 'cpu');
    hostile.requiresPython(context);
    const shares: number[] = [];
    for (const memoryMb of [128, 512, 1_769]) {
      const name = `spin-${memoryMb}`;
      await hostile.deployPython(name, SPIN_PY, { MemorySize: memoryMb });
      expect((await invoke(hostile.client, name)).result).toBe(1);
      const spin = invoke(hostile.client, name, { processes: 8, seconds: 2 });
      const share = (await hostile.besideNeighbour(spin)).result as number;
      // The kernel hands quotas out in slices, and what was saved before counts, too.
      expect([memoryMb, share < memoryMb * CORES_PER_MB * 1.2 + 0.02]).toEqual([memoryMb, true]);
      shares.push(share);
    }
    expect(shares.toSorted((a, b) => a - b)).toEqual(shares);
  });

  test('D41 what spins beyond its timeout is answered at it', async (context) => {
    hostile.requires(context, 'cpu');
    hostile.requiresPython(context);
    await hostile.deployPython('spin-on', SPIN_PY, { MemorySize: 3_008, Timeout: 2 });
    expect((await invoke(hostile.client, 'spin-on')).result).toBe(1);
    const spin = invokeWithLog(hostile.client, 'spin-on', { processes: 16, seconds: 1_000 });
    const { result, requestId, log } = await hostile.besideNeighbour(spin);
    expect(result).toEqual({
      errorType: 'Sandbox.Timedout',
      errorMessage: `RequestId: ${requestId} Error: Task timed out after 2.00 seconds`,
    });
    expect(log.find((line) => line.startsWith('REPORT '))).toMatch(
      /\tDuration: 2000.00 ms\tBilled Duration: 2000 ms\t.*\tStatus: timeout$/,
    );
    expect((await invoke(hostile.client, 'spin-on')).result).toBe(1);
  });
});
