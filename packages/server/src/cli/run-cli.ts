import { Command as Commander, CommanderError, Option } from 'commander';
import { constants } from 'node:os';
import { ConfigError } from '../config/config-error.ts';
import type { Command, CommandContext, CommandEntry } from './command.ts';
import { CommandError, CommandOptions, UsageError } from './command.ts';
import { COMMANDS, GROUP_SUMMARIES } from './command-list.ts';
import { Output } from './output.ts';
import { packageVersion } from '../version.ts';

const SUCCESS = 0;
const FAILURE = 1;
const USAGE = 2;

/**
 * Runs the program with `programArguments` (without interpreter and script) and gives its exit code: 0,
 * 1 for a failure, 2 for a wrong call, 128 + n where signal n ended it. Never rejects.
 */
export async function runCli(programArguments: readonly string[]): Promise<number> {
  const output = new Output(process.stdout, process.stderr, process.env);
  const stopping = new AbortController();
  let received: 'SIGINT' | 'SIGTERM' | undefined;
  const stop = (signal: 'SIGINT' | 'SIGTERM'): void => {
    if (received !== undefined) process.exit(exitCodeOf(received));
    received = signal;
    stopping.abort();
  };
  const context: CommandContext = {
    environment: process.env,
    workingDirectory: process.cwd(),
    output,
    signal: stopping.signal,
  };
  try {
    const entry = findEntry(programArguments);
    const command = await entry?.load();
    if (command?.handlesSignals !== true) {
      process.on('SIGINT', stop);
      process.on('SIGTERM', stop);
      endQuietlyWithoutReader();
    }
    return await parseAndRun(programArguments, entry?.path, command, context);
  } catch (error) {
    if (received !== undefined) return exitCodeOf(received);
    return report(error, output);
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

/** The command that is called; undefined for help, the version and what does not exist. */
function findEntry(programArguments: readonly string[]): CommandEntry | undefined {
  const words = programArguments.slice(0, 2);
  return COMMANDS.find(({ path }) => path === words[0] || path === words.join(' '));
}

async function parseAndRun(
  programArguments: readonly string[],
  path: string | undefined,
  command: Command | undefined,
  context: CommandContext,
): Promise<number> {
  let exitCode = SUCCESS;
  const program = newCommander('hearth')
    .description('Runs AWS Lambda functions, unchanged, on machines you own.')
    .version(packageVersion(), '--version');
  for (const entry of COMMANDS) {
    const commander = addCommand(program, entry);
    if (entry.path !== path || command === undefined) continue;
    configure(commander, command);
    commander.action(async () => {
      const options = new CommandOptions(commander.opts());
      exitCode = await command.run(context, commander.args, options);
    });
  }
  await program.parseAsync([...programArguments], { from: 'user' });
  return exitCode;
}

function addCommand(program: Commander, { path, summary }: CommandEntry): Commander {
  const words = path.split(' ');
  const [first = '', second] = words;
  if (second === undefined) return addTo(program, first, summary);
  const existing = program.commands.find((command) => command.name() === first);
  return addTo(existing ?? addTo(program, first, GROUP_SUMMARIES[first] ?? ''), second, summary);
}

function addTo(parent: Commander, name: string, summary: string): Commander {
  const commander = newCommander(name).description(summary);
  parent.addCommand(commander);
  return commander;
}

/** Commander throws instead of leaving, and prints help only. */
function newCommander(name: string): Commander {
  return new Commander(name)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .helpCommand(false);
}

function configure(commander: Commander, command: Command): void {
  for (const { name, description } of command.arguments) commander.argument(name, description);
  for (const { flags, description, isRepeatable } of command.options) {
    const option = new Option(flags, description);
    if (isRepeatable === true) {
      option.argParser((value, previous: unknown) => [
        ...(Array.isArray(previous) ? previous : []),
        value,
      ]);
    }
    commander.addOption(option);
  }
  if (command.notes !== undefined) commander.addHelpText('after', `\n${command.notes}`);
}

/** One line on standard error, never a stack trace. */
function report(error: unknown, output: Output): number {
  if (error instanceof CommanderError) return reportUsage(error, output);
  const message = error instanceof Error ? error.message : String(error);
  const isExpected = error instanceof CommandError || error instanceof UsageError;
  const isConfig = error instanceof ConfigError;
  output.note(isExpected || isConfig ? message : `Unexpected error: ${message}`);
  return error instanceof UsageError || isConfig ? USAGE : FAILURE;
}

function reportUsage(error: CommanderError, output: Output): number {
  if (error.exitCode === 0) return SUCCESS;
  // A group or the program without a command: its help, which went nowhere, is asked for instead.
  const message =
    error.code === 'commander.help'
      ? 'a command is missing (see "hearth --help")'
      : error.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ');
  output.note(`hearth: ${message}`);
  return USAGE;
}

/** Whoever read standard output is gone (`| head`): nothing is left to do, and it is no failure. */
function endQuietlyWithoutReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(SUCCESS);
    throw error;
  });
  process.stderr.on('error', () => undefined);
}

function exitCodeOf(signal: 'SIGINT' | 'SIGTERM'): number {
  return 128 + constants.signals[signal];
}
