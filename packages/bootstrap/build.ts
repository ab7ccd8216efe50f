import { join } from 'node:path';
import { buildSync } from 'esbuild';

/** Oldest interpreter that the bootstrap runs on. */
const TARGET = 'node18';

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
}

if (import.meta.main) buildNodeBootstrap();
