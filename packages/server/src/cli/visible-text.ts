/**
 * Characters that a terminal may act upon instead of showing them: C0 and C1 controls, and those that
 * reverse the direction of writing. Tab and line feed are told apart by the caller.
 */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const ACTIVE = /[\u0000-\u001F\u007F-\u009F\u200E\u200F\u2028-\u202E\u2066-\u2069]/g;

/** Text in one line that does nothing to a terminal; `\x1b` stands for an escape character. */
export function visibleLine(text: string): string {
  return text.replaceAll(ACTIVE, escaped);
}

/** The same with tabs and line breaks kept. A lone carriage return counts as a line break. */
export function visibleText(text: string): string {
  return text
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(ACTIVE, (character) =>
      character === '\n' || character === '\t' ? character : escaped(character),
    );
}

function escaped(character: string): string {
  if (character === '\n') return String.raw`\n`;
  if (character === '\r') return String.raw`\r`;
  if (character === '\t') return String.raw`\t`;
  const code = character.charCodeAt(0).toString(16);
  return code.length > 2
    ? String.raw`\u${code.padStart(4, '0')}`
    : String.raw`\x${code.padStart(2, '0')}`;
}
