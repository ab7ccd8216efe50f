import { runCli } from './run-cli.ts';

// Set rather than passed to process.exit, so that output to a slow reader is written to its end.
process.exitCode = await runCli(process.argv.slice(2));
