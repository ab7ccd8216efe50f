import { type GuestCommand, SandboxError, type SandboxSizes, type SandboxSpec } from './sandbox.ts';

const ENVIRONMENT_ID = /^[a-z0-9-]{1,64}$/;

/** @throws SandboxError where the id could name something else, or a limit is none */
export function checkSpec(spec: SandboxSpec): void {
  if (!ENVIRONMENT_ID.test(spec.environmentId)) {
    throw new SandboxError(
      `Cannot create sandbox as environmentId must match ${ENVIRONMENT_ID.source}: received ${JSON.stringify(spec.environmentId)}`,
    );
  }
  if (spec.assignment !== undefined) checkAssignment(spec.assignment);
  if (spec.likely !== undefined) checkAssignment(spec.likely);
}

/** @throws SandboxError where a limit is none */
export function checkAssignment(assignment: SandboxSizes): void {
  for (const name of ['memoryMb', 'ephemeralStorageMb'] as const) {
    const value = assignment[name];
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new SandboxError(
        `Cannot assign sandbox as ${name} must be a whole number >= 1: received ${value}`,
      );
    }
  }
}

/** @throws SandboxError where the system could not pass the command on as it is */
export function checkCommand(command: GuestCommand): void {
  const texts = [
    command.cwd,
    ...command.argv,
    ...Object.keys(command.environment),
    ...Object.values(command.environment),
  ];
  if (texts.some((text) => text.includes('\0'))) {
    throw new SandboxError('Cannot start process as its command must not contain a NUL character');
  }
  const key = Object.keys(command.environment).find((name) => name === '' || name.includes('='));
  if (key !== undefined) {
    throw new SandboxError(
      `Cannot start process as names of environment variables must not be empty or contain "=": received ${JSON.stringify(key)}`,
    );
  }
}
