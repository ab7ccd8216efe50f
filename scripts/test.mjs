// npm test [-- PATH …]: all checks and tests, or only the tests below the given paths. The last line
// on standard output is `N passed, N failed, N skipped`, where each check counts as one.
import { chmodSync, mkdtempSync, readFileSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

import { prepare } from './prepare.mjs';
import { captureChild, interruption, runChild } from './setup/child.mjs';
import { projectRoot } from './setup/project.mjs';
import { findLeftovers, watchInstances } from './test/leftovers.mjs';
import { removeFolder } from './test/remove-folder.mjs';

const CHECKS = [
  { name: 'types', command: ['tsc', '--noEmit'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'format', command: ['oxfmt', '--check'] },
  { name: 'dead code', command: ['knip', '--no-progress', '--treat-config-hints-as-errors'] },
  { name: 'build', command: ['node', join(projectRoot, 'scripts', 'build-package.mjs')] },
  { name: 'package', command: ['publint', '--strict'] },
];

const total = { passed: 0, failed: 0, skipped: 0 };
const notes = [];

const paths = process.argv.slice(2);
const { node, env } = await prepare();
// Data folders and sockets of the tests go below it, so that what they start can be told.
const folder = mkdtempSync(join(realpathSync(tmpdir()), 'hearth-test-'));
// A test may run a server as another user, who must come to the folder that it is given in here.
chmodSync(folder, 0o711);
env.TMPDIR = folder;
const instances = watchInstances(folder);
process.once('exit', () => removeFolder(folder));

if (paths.length === 0) {
  for (const check of CHECKS) await runCheck(check);
}
await runTests();
await checkLeftovers();

for (const note of notes) print(note);
print(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 ? 0 : 1;

async function runCheck({ name, command }) {
  const startedAt = Date.now();
  const [program, ...args] = command;
  const { exitCode, output } = await captureChild(program, args, {
    cwd: projectRoot,
    env: { ...env, PATH: [join(projectRoot, 'node_modules', '.bin'), env.PATH].join(delimiter) },
  });
  await stopWhenInterrupted();
  report(name, exitCode === 0, startedAt);
  if (exitCode !== 0) print(output.trimEnd());
}

async function runTests() {
  const summaryFile = join(folder, 'summary.json');
  const exitCode = await runChild(
    node,
    [join(projectRoot, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...paths],
    { cwd: projectRoot, env: { ...env, TEST_SUMMARY_FILE: summaryFile } },
  );
  await stopWhenInterrupted();
  count(readSummary(summaryFile), exitCode);
}

function readSummary(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: 0, skipped: {}, unexplained: [] };
  }
}

function count(summary, exitCode) {
  total.passed += summary.passed;
  total.failed += summary.failed;
  const skips = Object.entries(summary.skipped).sort(([, a], [, b]) => b.length - a.length);
  if (skips.length > 0) notes.push('', 'Skipped:');
  for (const [reason, names] of skips) {
    total.skipped += names.length;
    notes.push(`  ${names.length} × ${reason}`);
  }
  // With a name pattern vitest itself skips the rest.
  if (paths.some((path) => /^(-t|--testNamePattern)/.test(path))) {
    total.skipped += summary.unexplained.length;
  } else {
    for (const name of summary.unexplained) fail(`skipped without a reason: ${name}`);
  }
  if (summary.passed + summary.failed === 0) fail('no test was executed');
  else if (exitCode !== 0 && summary.failed === 0) fail(`vitest ended with ${exitCode}`);
}

async function checkLeftovers() {
  const startedAt = Date.now();
  instances.stop();
  const leftovers = await findLeftovers(folder, instances.seen);
  report('nothing left behind', leftovers.length === 0, startedAt);
  for (const leftover of leftovers) print(`  ${leftover}`);
}

async function stopWhenInterrupted() {
  const exitCode = interruption();
  if (exitCode === undefined) return;
  await findLeftovers(folder, instances.seen);
  process.stderr.write('hearth: tests interrupted\n');
  process.exit(exitCode);
}

function report(name, passed, startedAt) {
  total[passed ? 'passed' : 'failed'] += 1;
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  print(`${passed ? 'passed' : 'FAILED'}  ${name} (${seconds} s)`);
}

function fail(message) {
  total.failed += 1;
  notes.push(`FAILED  ${message}`);
}

function print(line) {
  process.stdout.write(`${line}\n`);
}
