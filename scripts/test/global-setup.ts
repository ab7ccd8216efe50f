import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Tests run real functions: the bundle that goes into them is made from the sources as they are. */
export function setup(): void {
  const script = fileURLToPath(new URL('../run.mjs', import.meta.url));
  execFileSync(process.execPath, [script], { stdio: 'inherit' });
}
