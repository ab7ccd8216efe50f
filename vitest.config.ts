import { defineConfig } from 'vitest/config';

import { SummaryReporter } from './scripts/test/summary-reporter.ts';

export default defineConfig({
  test: {
    include: [
      'packages/**/*.test.ts',
      'tests/**/*.test.ts',
      'benchmarks/**/*.test.ts',
      'scripts/**/*.test.ts',
    ],
    globalSetup: ['./scripts/test/global-setup.ts'],
    // Real processes are started: two files at a time keep a small machine responsive.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', new SummaryReporter()],
  },
});
