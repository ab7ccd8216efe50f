import { readHealth } from '../scripts/health.ts';
import { createFunction, startBenchServer, type BenchServer } from './bench-server.ts';
import { nodeSubject, pythonSubject, type Subject } from './subjects.ts';

const WORKER_MEMORY_MB = 16_384;

/** A function on a server of its own, which goes when the next one is asked for. */
export interface StartedAhead {
  readonly server: BenchServer;
  readonly subject: Subject;
  /** `pooled`: there will be as many workers as environments are to be made; `direct`: none. */
  readonly path: 'pooled' | 'direct';
  readonly workers: number;
}

/** Node.js and Python, from the pool and without; what this machine cannot run is left out. */
export async function* startedAhead(
  environments: number,
  holdMs: number,
  note: (line: string) => void,
  isWanted: (part: string) => boolean,
): AsyncGenerator<StartedAhead> {
  for (const path of ['pooled', 'direct'] as const) {
    const workers = path === 'pooled' ? environments : 0;
    for (const subject of [nodeSubject(holdMs), pythonSubject(holdMs)]) {
      if (!isWanted(`${path}/${subject.name}`)) continue;
      await using server = await startBenchServer([
        '--prewarm',
        String(workers),
        '--prewarm-memory-mb',
        String(WORKER_MEMORY_MB),
      ]);
      const health = await readHealth(server.endpoint);
      if (health.interpreterVersion(subject.runtime) === undefined) {
        note(`${subject.name} is left out: nothing on this machine runs ${subject.runtime}`);
        continue;
      }
      note(`${path}, ${subject.name}`);
      await createFunction(server.client, subject);
      yield { server, subject, path, workers };
    }
  }
}
