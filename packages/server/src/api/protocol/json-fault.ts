import { isUtf8 } from 'node:buffer';

/** What the grammar allows at a place. */
type Expected =
  | 'value'
  | 'value-or-end'
  | 'key'
  | 'key-or-end'
  | 'colon'
  | 'comma-or-end'
  | 'nothing';

const IN_ARRAY = 0;
const IN_OBJECT = 1;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');

/**
 * Says what is wrong with JSON text, or undefined where it is valid. Builds no values and needs no
 * stack of calls: depth costs one byte a level, whatever a caller sends.
 */
export function jsonFault(bytes: Uint8Array): string | undefined {
  if (!isUtf8(bytes)) return 'Invalid UTF-8';
  const scanner = new JsonScanner(bytes);
  const at = scanner.scan();
  if (at === undefined) return undefined;
  const code = bytes[at];
  if (code === undefined) return `Unexpected end-of-input at byte ${at}`;
  return `Unexpected character (${printable(code)} (code ${code})) at byte ${at}`;
}

function printable(code: number): string {
  return code > 0x20 && code < 0x7f ? `'${String.fromCharCode(code)}'` : 'not printable';
}

class JsonScanner {
  readonly #bytes: Uint8Array;
  #at = 0;
  #nesting = new Uint8Array(64);
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Position of the first byte that is wrong; the length where something is missing at the end. */
  scan(): number | undefined {
    let expected: Expected = 'value';
    for (;;) {
      this.#skipSpace();
      if (this.#at >= this.#bytes.length) {
        return expected === 'nothing' ? undefined : this.#bytes.length;
      }
      const next: Expected | undefined = this.#step(expected);
      if (next === undefined) return this.#at;
      expected = next;
    }
  }

  /** Takes one token; undefined where it is not allowed, with the position on what is wrong. */
  #step(expected: Expected): Expected | undefined {
    const code = this.#bytes[this.#at];
    switch (expected) {
      case 'value-or-end':
        if (code === CLOSE_BRACKET) return this.#close();
        return this.#value(code);
      case 'value':
        return this.#value(code);
      case 'key-or-end':
        if (code === CLOSE_BRACE) return this.#close();
        return code === QUOTE && this.#string() ? 'colon' : undefined;
      case 'key':
        return code === QUOTE && this.#string() ? 'colon' : undefined;
      case 'colon':
        if (code !== COLON) return undefined;
        this.#at += 1;
        return 'value';
      case 'comma-or-end':
        return this.#commaOrEnd(code);
      default:
        return undefined;
    }
  }

  #commaOrEnd(code: number | undefined): Expected | undefined {
    const inObject = this.#nesting[this.#depth - 1] === IN_OBJECT;
    if (code === (inObject ? CLOSE_BRACE : CLOSE_BRACKET)) return this.#close();
    if (code !== COMMA) return undefined;
    this.#at += 1;
    return inObject ? 'key' : 'value';
  }

  #value(code: number | undefined): Expected | undefined {
    if (code === OPEN_BRACE) return this.#open(IN_OBJECT, 'key-or-end');
    if (code === OPEN_BRACKET) return this.#open(IN_ARRAY, 'value-or-end');
    return this.#scalar(code) ? this.#afterValue() : undefined;
  }

  #scalar(code: number | undefined): boolean {
    if (code === QUOTE) return this.#string();
    const isNumber = code === MINUS || (code !== undefined && code >= ZERO && code <= NINE);
    return isNumber ? this.#number() : this.#literal();
  }

  #afterValue(): Expected {
    return this.#depth === 0 ? 'nothing' : 'comma-or-end';
  }

  #open(kind: number, next: Expected): Expected {
    if (this.#depth === this.#nesting.length) {
      const larger = new Uint8Array(this.#nesting.length * 2);
      larger.set(this.#nesting);
      this.#nesting = larger;
    }
    this.#nesting[this.#depth] = kind;
    this.#depth += 1;
    this.#at += 1;
    return next;
  }

  #close(): Expected {
    this.#depth -= 1;
    this.#at += 1;
    return this.#afterValue();
  }

  #skipSpace(): void {
    const bytes = this.#bytes;
    let at = this.#at;
    for (;;) {
      const code = bytes[at];
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break;
      at += 1;
    }
    this.#at = at;
  }

  #string(): boolean {
    const bytes = this.#bytes;
    let at = this.#at + 1;
    for (;;) {
      const code = bytes[at];
      if (code === QUOTE) {
        this.#at = at + 1;
        return true;
      }
      if (code === BACKSLASH) {
        const length = escapeLength(bytes, at);
        if (length > 0) {
          at += length;
          continue;
        }
      }
      if (code === undefined || code < 0x20 || code === BACKSLASH) {
        this.#at = at;
        return false;
      }
      at += 1;
    }
  }

  #number(): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    let at = bytes[start] === MINUS ? start + 1 : start;
    const whole = digitsEnd(bytes, at);
    if (whole === at) return this.#failAt(at);
    // A leading zero stands alone: what follows it is the next token, and wrong.
    at = bytes[at] === ZERO ? at + 1 : whole;
    if (bytes[at] === 0x2e) {
      const end = digitsEnd(bytes, at + 1);
      if (end === at + 1) return this.#failAt(end);
      at = end;
    }
    if (bytes[at] === 0x65 || bytes[at] === 0x45) {
      const sign = bytes[at + 1] === 0x2b || bytes[at + 1] === MINUS ? 2 : 1;
      const end = digitsEnd(bytes, at + sign);
      if (end === at + sign) return this.#failAt(end);
      at = end;
    }
    this.#at = at;
    return true;
  }

  #failAt(at: number): false {
    this.#at = at;
    return false;
  }

  #literal(): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    const first = bytes[start];
    const word = first === 0x74 ? TRUE : first === 0x66 ? FALSE : first === 0x6e ? NULL : undefined;
    if (word === undefined) return false;
    for (let index = 1; index < word.length; index += 1) {
      if (bytes[start + index] !== word[index]) return this.#failAt(start + index);
    }
    this.#at = start + word.length;
    return true;
  }
}

function digitsEnd(bytes: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    const code = bytes[at];
    if (code === undefined || code < ZERO || code > NINE) return at;
    at += 1;
  }
}

/** Length of the escape sequence at a backslash; 0 where it is none. */
function escapeLength(bytes: Uint8Array, at: number): number {
  const letter = bytes[at + 1];
  if (letter === undefined) return 0;
  if (letter !== 0x75) return '"\\/bfnrt'.includes(String.fromCharCode(letter)) ? 2 : 0;
  for (let index = at + 2; index < at + 6; index += 1) {
    const code = bytes[index];
    const hex =
      code !== undefined &&
      ((code >= ZERO && code <= NINE) ||
        (code >= 0x41 && code <= 0x46) ||
        (code >= 0x61 && code <= 0x66));
    if (!hex) return 0;
  }
  return 6;
}
