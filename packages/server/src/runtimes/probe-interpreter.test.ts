import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { probeInterpreter } from './probe-interpreter.ts';

let root = '';
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'hearth-probe-')));
  mkdirSync(join(root, 'bin'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A program that prints to standard error what a Java of that version and home would. */
function javaThatSays(version: string, home = root): string {
  const path = join(root, 'bin/java');
  const lines = ['Property settings:', `    java.home = ${home}`, `    java.version = ${version}`];
  writeFileSync(path, `#!/bin/sh\ncat >&2 <<'END'\n${lines.join('\n')}\nEND\n`, { mode: 0o755 });
  return path;
}

describe('asking a Java', () => {
  test.each([
    ['17.0.15', '17.0.15'],
    ['25', '25.0.0'],
    ['22-ea', '22.0.0'],
    ['11.0.22.1', '11.0.22'],
    ['1.8.0_402', '8.0.402'],
  ])('%s is %s', async (said, version) => {
    expect(await probeInterpreter('java', javaThatSays(said))).toEqual({ version });
  });

  test('a JDK 8 names the folder of its runtime', async () => {
    mkdirSync(join(root, 'jre'));
    const path = javaThatSays('1.8.0_402', join(root, 'jre'));
    expect(await probeInterpreter('java', path)).toEqual({ version: '8.0.402' });
  });

  test('one that is somewhere else is a wrapper', async () => {
    expect(await probeInterpreter('java', javaThatSays('17.0.15', '/usr'))).toEqual({});
  });

  test('what prints no properties is none', async () => {
    const path = join(root, 'bin/java');
    writeFileSync(path, '#!/bin/sh\necho openjdk 17\n', { mode: 0o755 });
    expect(await probeInterpreter('java', path)).toEqual({});
  });
});
