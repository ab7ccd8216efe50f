import type { CommandEntry } from './command.ts';

/** Every command, in the order of `--help`. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    path: 'start',
    summary: 'start the server',
    load: async () => (await import('./commands/start.ts')).startCommand,
  },
  {
    path: 'functions list',
    summary: 'list the functions',
    load: async () => (await import('./commands/functions-list.ts')).functionsListCommand,
  },
  {
    path: 'functions get',
    summary: 'show a function',
    load: async () => (await import('./commands/functions-get.ts')).functionsGetCommand,
  },
  {
    path: 'functions create',
    summary: 'create a function',
    load: async () => (await import('./commands/functions-create.ts')).functionsCreateCommand,
  },
  {
    path: 'functions update',
    summary: 'update code or configuration of a function',
    load: async () => (await import('./commands/functions-update.ts')).functionsUpdateCommand,
  },
  {
    path: 'functions delete',
    summary: 'delete a function',
    load: async () => (await import('./commands/functions-delete.ts')).functionsDeleteCommand,
  },
  {
    path: 'layers list',
    summary: 'list the layers, or the versions of one',
    load: async () => (await import('./commands/layers-list.ts')).layersListCommand,
  },
  {
    path: 'layers publish',
    summary: 'publish a version of a layer',
    load: async () => (await import('./commands/layers-publish.ts')).layersPublishCommand,
  },
  {
    path: 'layers delete',
    summary: 'delete a version of a layer',
    load: async () => (await import('./commands/layers-delete.ts')).layersDeleteCommand,
  },
  {
    path: 'invoke',
    summary: 'run a function',
    load: async () => (await import('./commands/invoke.ts')).invokeCommand,
  },
  {
    path: 'logs',
    summary: 'show what a function logged',
    load: async () => (await import('./commands/logs.ts')).logsCommand,
  },
  {
    path: 'doctor',
    summary: 'show what the running server enforces and which interpreters it uses',
    load: async () => (await import('./commands/doctor.ts')).doctorCommand,
  },
  {
    path: 'runtimes list',
    summary: 'show which interpreter runs each runtime',
    load: async () => (await import('./commands/runtimes-list.ts')).runtimesListCommand,
  },
  {
    path: 'runtimes install',
    summary: 'install the interpreter of a runtime',
    load: async () => (await import('./commands/runtimes-install.ts')).runtimesInstallCommand,
  },
];

/** What the groups of commands are about. */
export const GROUP_SUMMARIES: Readonly<Record<string, string>> = {
  functions: 'list, show, create, update and delete functions',
  layers: 'list, publish and delete layers',
  runtimes: 'list and install interpreters',
};
