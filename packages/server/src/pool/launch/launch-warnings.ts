import type { FunctionVersion } from '../../domain/function.ts';
import type { RuntimeChoice } from '../../runtimes/runtime-catalog.ts';

/** Architectures of this machine by Node's name, as the API names them. */
const ARCHITECTURES: Readonly<Record<string, FunctionVersion['architecture']>> = {
  x64: 'x86_64',
  arm64: 'arm64',
};

const NAMES = { nodejs: 'Node.js', python: 'Python', java: 'Java' } as const;

/** What the function's log says before init where it does not run quite as it was asked to. */
export function launchWarnings(
  version: FunctionVersion,
  choice: RuntimeChoice | undefined,
  machineArchitecture: string,
): string[] {
  const { runtime, architecture } = version;
  const warnings: string[] = [];
  if (choice?.exact === false) {
    const { family, version: own } = choice.interpreter;
    warnings.push(
      `${runtime} runs on ${NAMES[family]} ${own}, the nearest on this machine. ` +
        `To have the matching one: hearth runtimes install ${runtime}`,
    );
  }
  const machine = ARCHITECTURES[machineArchitecture] ?? machineArchitecture;
  if (machine !== architecture) {
    warnings.push(
      `Architecture ${architecture} runs on ${machine}, this machine's own: native code that was ` +
        `built for ${architecture} does not load`,
    );
  }
  return warnings;
}
