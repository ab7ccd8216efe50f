import { delimiter, resolve } from 'node:path';

/** What a flag, a variable or the file can hold. Flags and variables are always text. */
export type RawValue = string | number | boolean;

export interface ParseContext {
  /** Absolute folder that relative paths start from. */
  readonly baseDirectory: string;
}

/** Gives the value, or undefined where `raw` is none. */
export type Parser<T> = (raw: RawValue, context: ParseContext) => T | undefined;

/** A whole number, bounds included. */
export function integerBetween(minimum: number, maximum: number): Parser<number> {
  return (raw) => {
    const value = wholeNumber(raw);
    return value !== undefined && value >= minimum && value <= maximum ? value : undefined;
  };
}

export function oneOf<const T extends string>(choices: readonly T[]): Parser<T> {
  return (raw) => choices.find((choice) => choice === raw);
}

export function textMatching(pattern: RegExp): Parser<string> {
  return (raw) => (typeof raw === 'string' && pattern.test(raw) ? raw : undefined);
}

/** `true` and `1`, `false` and `0`; a flag without a value is true. */
export const parseSwitch: Parser<boolean> = (raw) => {
  if (typeof raw === 'boolean') return raw;
  if (raw === 'true' || raw === '1') return true;
  return raw === 'false' || raw === '0' ? false : undefined;
};

/** An absolute path; a relative one starts from the context's folder. */
export const parsePath: Parser<string> = (raw, context) =>
  typeof raw === 'string' && raw !== '' && !raw.includes('\0')
    ? resolve(context.baseDirectory, raw)
    : undefined;

/** Paths separated as in PATH, made absolute; at least one. */
export const parsePaths: Parser<readonly string[]> = (raw, context) => {
  if (typeof raw !== 'string' || raw.includes('\0')) return undefined;
  const parts = raw.split(delimiter).filter((part) => part !== '');
  return parts.length === 0 ? undefined : parts.map((part) => resolve(context.baseDirectory, part));
};

/** An http or https address without query, fragment or user; the slash at its end is dropped. */
export const parseEndpoint: Parser<string> = (raw) => {
  if (typeof raw !== 'string' || !URL.canParse(raw)) return undefined;
  const url = new URL(raw);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    return undefined;
  }
  return url.href.replace(/\/+$/, '');
};

function wholeNumber(raw: RawValue): number | undefined {
  if (typeof raw === 'number') return Number.isSafeInteger(raw) ? raw : undefined;
  return typeof raw === 'string' && /^\d{1,15}$/.test(raw) ? Number(raw) : undefined;
}
