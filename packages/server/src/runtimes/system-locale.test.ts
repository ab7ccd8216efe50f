import { expect, test } from 'vitest';
import { replacedLocale, replacementFor } from './system-locale.ts';

test.each([
  ['C\nC.utf8\nPOSIX\n', 'C.UTF-8'],
  ['C\nC.UTF-8\nen_GB.utf8\n', 'C.UTF-8'],
  ['C\nC.utf8\nen_US.utf8\n', undefined],
  ['C\nen_US.UTF-8\n', undefined],
  ['C\nPOSIX\n', undefined],
])('of %j it is %s', (locales, expected) => {
  expect(replacementFor(locales)).toBe(expected);
});

test('this system is asked once', async () => {
  expect(replacedLocale()).toBe(replacedLocale());
  expect(['C.UTF-8', undefined]).toContain(await replacedLocale());
});
