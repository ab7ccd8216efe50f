// node scripts/run.mjs [FILE [ARGUMENT …]]: makes the checkout ready, then runs a file of it.
import { join } from 'node:path';

import { prepare } from './prepare.mjs';
import { runChild } from './setup/child.mjs';
import { projectRoot } from './setup/project.mjs';

const [file, ...args] = process.argv.slice(2);
const { node, env } = await prepare();
if (file !== undefined) {
  // npm runs scripts in the project's folder; paths on the command line are meant where it was typed.
  const cwd = process.env.INIT_CWD ?? process.cwd();
  // The channel carries nothing: its end tells the child that this process is gone, even if killed.
  const stdio = ['inherit', 'inherit', 'inherit', 'ipc'];
  process.exitCode = await runChild(node, [join(projectRoot, file), ...args], { cwd, env, stdio });
}
