/** True for an error of the file system (or of Node) with one of these codes. */
export function hasCode(error: unknown, codes: ReadonlySet<string>): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    codes.has(error.code)
  );
}
