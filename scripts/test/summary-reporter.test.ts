import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
const config = fileURLToPath(new URL('sample/vitest.config.ts', import.meta.url));

test('a run is counted, a skip keeps its reason, and one without a reason stands out', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-summary-'));
  const file = join(folder, 'summary.json');
  try {
    const exitCode = await new Promise((resolve) => {
      execFile(
        process.execPath,
        [vitest, 'run', '--config', config],
        { env: { ...process.env, TEST_SUMMARY_FILE: file } },
        (error) => resolve(error?.code ?? 0),
      );
    });
    expect(exitCode).toBe(1);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      passed: 1,
      failed: 3,
      skipped: {
        'no such kernel': ['outcomes.sample.ts > skips with a note'],
        'set-up of the suite failed': [
          'outcomes.sample.ts > a suite whose set-up fails > is not run',
        ],
        'needs root': [
          'outcomes.sample.ts > a driver (needs root) > one of its tests',
          'outcomes.sample.ts > a driver (needs root) > another of its tests',
        ],
      },
      unexplained: ['outcomes.sample.ts > skips and does not say why'],
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
