import { describe, expect, test } from 'vitest';
import { CodeFolderError } from '../sandbox.ts';
import { checkCodeFolder } from './code-folder.ts';

const OWN = ['/home/ann/.local/share/hearth', '/run/hearth'];

describe('a folder that is run in place', () => {
  test.each([
    '/',
    '/run',
    '/run/hearth',
    '/run/hearth/0123456789ab/tmp',
    '/home/ann',
    '/home/ann/.local/share/hearth/code',
  ])('may not be %s, which touches a folder of the server', (path) => {
    expect(() => checkCodeFolder(path, OWN)).toThrow(CodeFolderError);
  });

  test.each(['/run/hearth-code', '/home/ann/.local/share/hearth2', '/home/ann/code', '/tmp'])(
    'may be %s',
    (path) => {
      expect(() => checkCodeFolder(path, OWN)).not.toThrow();
    },
  );
});
