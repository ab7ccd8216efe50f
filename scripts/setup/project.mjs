import { fileURLToPath } from 'node:url';

/** Folder of the checkout, whatever the current directory is. */
export const projectRoot = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** The oldest Node.js that runs Hearth: it strips types and has node:sqlite without a flag. */
export const minimumNodeMajor = 24;

/** One line of progress. Standard output belongs to the command that was asked for. */
export function say(message) {
  process.stderr.write(`hearth: ${message}\n`);
}

/** A failure that is explained by its message alone. */
export class SetupError extends Error {
  name = 'SetupError';
}
