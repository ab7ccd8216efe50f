/** A runtime that could not be installed. The message is one line. */
export class InstallError extends Error {
  override readonly name = 'InstallError';
}

/** The last line of what a program said, for a message of one line. */
export function lastLine(output: string): string {
  const lines = output.split('\n').map((line) => line.trim());
  return lines.findLast((line) => line !== '')?.slice(0, 500) ?? 'no output';
}
