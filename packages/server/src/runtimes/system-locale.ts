import { runProgram } from './run-program.ts';

/** What `LC_ALL` must be for UTF-8 where the system lacks AWS's locale; undefined where it has it. */
export type ReplacedLocale = 'C.UTF-8' | undefined;

let known: Promise<ReplacedLocale> | undefined;

/**
 * AWS's systems have the locale en_US.UTF-8, which is in `LANG` there and here. A program that takes
 * its encodings of a locale that the system lacks falls back to ASCII. Asked for once.
 */
export function replacedLocale(): Promise<ReplacedLocale> {
  known ??= runProgram('locale', ['-a'], { environment: { PATH: '/usr/bin:/bin' } }).then(
    ({ stdout }) => replacementFor(stdout),
    // Without the program there are no locales, as on musl, where everything is UTF-8.
    () => undefined,
  );
  return known;
}

/** @param locales what `locale -a` prints */
export function replacementFor(locales: string): ReplacedLocale {
  if (/^en_US\.utf-?8$/im.test(locales)) return undefined;
  return /^C\.utf-?8$/im.test(locales) ? 'C.UTF-8' : undefined;
}
