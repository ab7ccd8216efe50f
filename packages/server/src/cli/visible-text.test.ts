import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Output } from './output.ts';
import { visibleLine, visibleText } from './visible-text.ts';

describe('visibleText', () => {
  test.each([
    ['plain ü 日本', 'plain ü 日本'],
    ['a\tb\nc', 'a\tb\nc'],
    ['\u001b[2J', String.raw`\x1b[2J`],
    ['\u009b31m\u0007\u007f', String.raw`\x9b31m\x07\x7f`],
    ['one\rtwo\r\nthree', 'one\ntwo\nthree'],
    ['abc\u202Edef\u2066', String.raw`abc\u202edef\u2066`],
  ])('%j is shown as %j', (text, shown) => {
    expect(visibleText(text)).toBe(shown);
  });

  test('whatever is shown, a terminal acts upon nothing but tab and line feed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        expect(visibleText(text)).not.toMatch(/[^\P{Cc}\t\n]/u);
        expect(visibleLine(text)).not.toMatch(/\p{Cc}/u);
      }),
    );
  });

  test('what is harmless stays as it is', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[ -~äöü€]*$/), (text) => {
        expect(visibleText(text)).toBe(text);
      }),
    );
  });
});

function outputTo(isTTY: boolean): { output: Output; written: () => string } {
  let text = '';
  const stream = {
    isTTY,
    write: (content: string | Uint8Array) => {
      text += Buffer.from(content).toString('utf8');
    },
  };
  return { output: new Output(stream, stream, {}), written: () => text };
}

describe('Output', () => {
  test('makes control characters of others visible on a terminal', () => {
    const { output, written } = outputTo(true);
    output.foreign('a\u001b[31m\n');
    expect(written()).toBe(`a${String.raw`\x1b`}[31m\n`);
  });

  test('gives a program the very bytes', () => {
    const { output, written } = outputTo(false);
    output.foreign('a\u001b[31m\r\n');
    expect(written()).toBe('a\u001b[31m\r\n');
  });

  test('shows progress on a terminal only, and takes it away', () => {
    const terminal = outputTo(true);
    terminal.output.progress('Working')[Symbol.dispose]();
    expect(terminal.written()).toBe('\r\u001b[KWorking …\r\u001b[K');
    const program = outputTo(false);
    program.output.progress('Working')[Symbol.dispose]();
    expect(program.written()).toBe('');
  });
});
