import { cpSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildSync } from 'esbuild';

/** Oldest interpreter that the bootstrap runs on. */
const TARGET = 'node18';

/** Functions that the bootstrap rehearses with; they lie beside it. */
const WARM_UP = 'warm-up';

/**
 * Bundles the Node.js bootstrap into one CommonJS file, by default at
 * `packages/bootstrap/dist/node/index.cjs`. Throws where it does not compile.
 */
export function buildNodeBootstrap(
  outFile = join(import.meta.dirname, 'dist', 'node', 'index.cjs'),
): void {
  buildSync({
    entryPoints: [join(import.meta.dirname, 'node', 'src', 'index.ts')],
    outfile: outFile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: TARGET,
    logLevel: 'silent',
  });
  const warmUp = join(import.meta.dirname, 'node', WARM_UP);
  cpSync(warmUp, join(dirname(outFile), WARM_UP), { recursive: true });
}

if (import.meta.main) buildNodeBootstrap();
