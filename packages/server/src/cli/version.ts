import { readFileSync } from 'node:fs';
import { asObject } from './json-fields.ts';

/** The version of the package. Its description lies four folders up, from the source as from dist/. */
export function packageVersion(): string {
  const path = new URL('../../../../package.json', import.meta.url);
  const description: unknown = JSON.parse(readFileSync(path, 'utf8'));
  return String(asObject(description)['version']);
}
