import { fileURLToPath } from 'node:url';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { LocalRuntimeCatalog } from '../../../server/src/runtimes/local-runtime-catalog.ts';
import { compareVersions } from '../../../server/src/runtimes/choose-interpreter.ts';
import type { RuntimeCommand } from '../../contract/launched-runtime.ts';

export interface PythonUnderTest {
  /** `3.12.1`. */
  readonly version: string;
  /** Its own runtime: `python3.12`. */
  readonly runtime: string;
  readonly command: RuntimeCommand;
}

const BOOTSTRAP = fileURLToPath(new URL('../bootstrap.py', import.meta.url));

const pythons = await findPythons();

/** Stands for all where this machine has none: its tests are skipped under this name. */
const ABSENT: PythonUnderTest = {
  version: '(needs Python 3.9 or newer on the PATH, in pyenv or in uv)',
  runtime: 'python3.13',
  command: { argv: ['python3'] },
};

/** Calls `define` for the oldest and the newest Python of this machine. */
export function describePythons(define: (python: PythonUnderTest) => void): void {
  for (const python of pythons.length > 0 ? pythons : [ABSENT]) {
    describe.skipIf(python === ABSENT)(`Python ${python.version}`, () => {
      define(python);
    });
  }
}

async function findPythons(): Promise<PythonUnderTest[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'hearth-pythons-'));
  try {
    const found = (await new LocalRuntimeCatalog({ dataDir, strict: false }).list())
      .filter(({ family }) => family === 'python')
      .sort((a, b) => compareVersions(a.version, b.version));
    return [...new Set([found.at(0), found.at(-1)])]
      .filter((interpreter) => interpreter !== undefined)
      .map(({ version, prefix, program }) => ({
        version,
        runtime: `python${version.split('.').slice(0, 2).join('.')}`,
        command: { argv: [join(prefix, program), '-s', '-B', '-X', 'utf8', BOOTSTRAP] },
      }));
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}
