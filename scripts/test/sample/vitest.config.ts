import { defineConfig } from 'vitest/config';

import { SummaryReporter } from '../summary-reporter.ts';

/** The tests that summary-reporter.test.ts runs: their failures and skips are meant. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.sample.ts'],
    reporters: [new SummaryReporter()],
  },
});
