// Builds dist/, which is published: Node.js does not strip types below node_modules.
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { prepare } from './prepare.mjs';
import { runChild } from './setup/child.mjs';
import { projectRoot } from './setup/project.mjs';

const packages = join(projectRoot, 'packages');
const dist = join(projectRoot, 'dist');

const { env } = await prepare();
rmSync(dist, { recursive: true, force: true });
process.exitCode = await runChild(
  join(projectRoot, 'node_modules', '.bin', 'tsc'),
  ['--project', 'tsconfig.build.json'],
  // Standard output belongs to npm, which prints the name of the package there.
  { cwd: projectRoot, env, stdio: ['ignore', 2, 2] },
);
if (process.exitCode === 0) {
  copy(join('server', 'src'), (name) => /\.(json|html|css|js|sql)$/.test(name));
  copy(join('bootstrap', 'dist', 'node'), () => true);
  copy(
    join('bootstrap', 'python'),
    (name) => name.endsWith('.py') && !/(^|\/)(test_|tests\/)/.test(name),
  );
}

/** Files that the program reads; they keep their place relative to the modules that read them. */
function copy(folder, isWanted) {
  for (const name of readdirSync(join(packages, folder), { recursive: true })) {
    if (isWanted(name))
      cpSync(join(packages, folder, name), join(dist, folder, name), { recursive: true });
  }
}
