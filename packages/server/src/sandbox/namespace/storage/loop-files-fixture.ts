import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Files that loop devices of this machine are attached to, of those whose path holds `part`. */
export function loopFiles(part: string): string[] {
  return readdirSync('/sys/block')
    .filter((name) => name.startsWith('loop'))
    .flatMap((name) => {
      try {
        return [readFileSync(join('/sys/block', name, 'loop/backing_file'), 'utf8').trim()];
      } catch {
        return [];
      }
    })
    .filter((path) => path.includes(part));
}
