import { describeRuntimes } from '../../api/admin/health-handler.ts';
import { LocalRuntimeCatalog } from '../../runtimes/local-runtime-catalog.ts';
import { JSON_OPTION } from '../api-options.ts';
import type { Command } from '../command.ts';
import { configOptions, readConfig } from '../config-options.ts';
import { printTable } from '../table.ts';
import { runtimeRow } from './doctor.ts';

const SETTINGS_USED = ['dataDir', 'strictRuntimes'] as const;

export const runtimesListCommand: Command = {
  arguments: [],
  options: [...configOptions(SETTINGS_USED), JSON_OPTION],
  async run(context, _arguments, options) {
    const { dataDir, strictRuntimes } = readConfig(SETTINGS_USED, context, options);
    const { environment, output } = context;
    const catalog = new LocalRuntimeCatalog({ dataDir, strict: strictRuntimes, environment });
    using progress = output.progress('Looking for interpreters');
    const runtimes = await describeRuntimes(catalog, dataDir);
    const interpreters = await catalog.list();
    progress[Symbol.dispose]();
    if (options.isSet('json')) {
      output.json({ runtimes, interpreters });
      return 0;
    }
    const head = ['RUNTIME', 'INTERPRETER', 'MATCH', 'PATH', 'FOUND BY'];
    await printTable(output, head, runtimes.map(runtimeRow));
    return 0;
  },
};
