import { writeFileSync } from 'node:fs';

import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node';

/** What scripts/test.mjs reads; written to the file that TEST_SUMMARY_FILE names. */
interface Summary {
  passed: number;
  failed: number;
  /** Names of the skipped tests by the reason that they give. */
  skipped: Record<string, string[]>;
  /** Skipped tests that do not say why. */
  unexplained: string[];
}

/** Counts the tests and collects why some were skipped. */
export class SummaryReporter implements Reporter {
  readonly #path = process.env['TEST_SUMMARY_FILE'];

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    if (this.#path === undefined) return;
    const summary = summarize(modules);
    summary.failed += unhandledErrors.length;
    writeFileSync(this.#path, JSON.stringify(summary));
  }
}

function summarize(modules: readonly TestModule[]): Summary {
  const summary: Summary = { passed: 0, failed: 0, skipped: {}, unexplained: [] };
  for (const module of modules) {
    // A file or suite that failed outside its tests: an import, a hook.
    summary.failed += module.errors().length;
    for (const suite of module.children.allSuites()) summary.failed += suite.errors().length;
    for (const testCase of module.children.allTests()) count(testCase, summary);
  }
  return summary;
}

function count(testCase: TestCase, summary: Summary): void {
  const result = testCase.result();
  if (result.state === 'passed') summary.passed += 1;
  else if (result.state === 'skipped') skip(testCase, result.note, summary);
  else summary.failed += 1;
}

function skip(testCase: TestCase, note: string | undefined, summary: Summary): void {
  const name = `${testCase.module.relativeModuleId} > ${testCase.fullName}`;
  const reason = note ?? failedSuite(testCase) ?? reasonInName(testCase);
  if (reason === undefined) summary.unexplained.push(name);
  else (summary.skipped[reason] ??= []).push(name);
}

/** A suite whose hook failed, which is counted as a failure itself, takes its tests with it. */
function failedSuite(testCase: TestCase): string | undefined {
  let parent: TestSuite | TestModule = testCase.parent;
  for (;;) {
    if (parent.errors().length > 0) return 'set-up of the suite failed';
    if (parent.type === 'module') return undefined;
    parent = parent.parent;
  }
}

/**
 * `test.skip` and `describe.skipIf` take no note, so the name says it: `… (needs bubblewrap)`. Words
 * that begin a reason: needs, only, skipped.
 */
function reasonInName(testCase: TestCase): string | undefined {
  let node: TestCase | TestSuite | TestModule = testCase;
  while (node.type !== 'module') {
    const found = /\(((?:needs|only|skipped)\b[^()]*)\)/.exec(node.name);
    if (found !== null) return found[1];
    node = node.parent;
  }
  return undefined;
}
