import { readFileSync } from 'node:fs';

/** The version of the package. Its description lies three folders up, from the source as from dist/. */
export function packageVersion(): string {
  const path = new URL('../../../package.json', import.meta.url);
  const description: unknown = JSON.parse(readFileSync(path, 'utf8'));
  const isDescription = typeof description === 'object' && description !== null;
  return isDescription && 'version' in description ? String(description.version) : 'unknown';
}
