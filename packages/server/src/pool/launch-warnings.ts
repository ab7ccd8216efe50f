import type { FunctionVersion } from '../domain/function.ts';
import type { RuntimeChoice } from '../runtimes/runtime-catalog.ts';

/** Architectures of this machine by Node's name, as the API names them. */
const ARCHITECTURES: Readonly<Record<string, FunctionVersion['architecture']>> = {
  x64: 'x86_64',
  arm64: 'arm64',
};

/** What the function's log says before init where it does not run quite as it was asked to. */
export function launchWarnings(
  version: FunctionVersion,
  { interpreter, exact }: RuntimeChoice,
  machineArchitecture: string,
): string[] {
  const { runtime, architecture } = version;
  const warnings: string[] = [];
  if (!exact) {
    const name = interpreter.family === 'nodejs' ? 'Node.js' : 'Python';
    warnings.push(
      `${runtime} runs on ${name} ${interpreter.version}, the nearest on this machine. ` +
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
