import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MANAGED_RUNTIMES } from '../domain/runtimes.ts';
import { chooseInterpreter, compareVersions, isSupportedVersion } from './choose-interpreter.ts';
import type { Interpreter } from './runtime-catalog.ts';

function node(version: string, origin = 'PATH'): Interpreter {
  return { family: 'nodejs', version, prefix: `/opt/${version}`, program: 'bin/node', origin };
}

function python(version: string): Interpreter {
  return {
    family: 'python',
    version,
    prefix: `/opt/${version}`,
    program: 'bin/python3',
    origin: 'PATH',
  };
}

function java(version: string): Interpreter {
  return {
    family: 'java',
    version,
    prefix: `/opt/${version}`,
    program: 'bin/java',
    origin: 'PATH',
  };
}

function chosen(runtime: string, interpreters: Interpreter[], strict = false): string | undefined {
  const choice = chooseInterpreter(runtime, interpreters, strict);
  return choice && `${choice.interpreter.version}${choice.exact ? ' exact' : ''}`;
}

describe('chooseInterpreter', () => {
  test('takes the newest patch of the own version', () => {
    const all = [node('22.9.0'), node('22.11.0'), node('22.2.0'), node('24.1.0')];
    expect(chosen('nodejs22.x', all)).toBe('22.11.0 exact');
  });

  test('takes the nearest where the own version is missing', () => {
    expect(chosen('nodejs18.x', [node('24.1.0'), node('20.1.0')])).toBe('20.1.0');
    expect(chosen('python3.15', [python('3.9.1'), python('3.13.0')])).toBe('3.13.0');
  });

  test('of two that are equally far takes the newer', () => {
    expect(chosen('nodejs22.x', [node('24.1.0'), node('20.1.0')])).toBe('24.1.0');
    expect(chosen('python3.12', [python('3.11.9'), python('3.13.0')])).toBe('3.13.0');
  });

  test('of equal versions takes the first', () => {
    const choice = chooseInterpreter(
      'nodejs22.x',
      [node('22.1.0', 'installed'), node('22.1.0', 'nvm')],
      false,
    );
    expect(choice?.interpreter.origin).toBe('installed');
  });

  test('never crosses families', () => {
    expect(chosen('python3.12', [node('22.1.0')])).toBeUndefined();
  });

  test('strict takes the own version or none', () => {
    expect(chosen('nodejs22.x', [node('24.1.0')], true)).toBeUndefined();
    expect(chosen('nodejs22.x', [node('24.1.0'), node('22.0.0')], true)).toBe('22.0.0 exact');
  });

  test('takes the nearest newer Java, and an older one only where there is no newer', () => {
    expect(chosen('java21', [java('17.0.15'), java('25.0.3')])).toBe('25.0.3');
    expect(chosen('java11', [java('17.0.15'), java('25.0.3')])).toBe('17.0.15');
    expect(chosen('java21', [java('11.0.2'), java('17.0.15')])).toBe('17.0.15');
    expect(chosen('java8.al2', [java('8.0.402'), java('17.0.15')])).toBe('8.0.402 exact');
  });

  test('has none for a runtime whose program comes with the function', () => {
    expect(chosen('provided.al2023', [node('22.1.0'), java('21.0.1')])).toBeUndefined();
  });

  test('has none for a runtime that is not managed', () => {
    expect(chosen('provided.al2023', [node('22.1.0')])).toBeUndefined();
  });

  test('no other interpreter of the family is nearer than the chosen one', () => {
    const minors = fc.array(fc.integer({ min: 9, max: 16 }), { minLength: 1, maxLength: 6 });
    const runtimes = [...MANAGED_RUNTIMES].filter(([, managed]) => managed.family === 'python');
    fc.assert(
      fc.property(fc.constantFrom(...runtimes), minors, ([runtime, managed], found) => {
        const wanted = Number(managed.languageVersion.split('.')[1]);
        const choice = chosen(
          runtime,
          found.map((minor) => python(`3.${minor}.0`)),
        );
        const minor = Number(choice?.split('.')[1]);
        const nearest = Math.min(...found.map((other) => Math.abs(other - wanted)));
        expect(Math.abs(minor - wanted)).toBe(nearest);
        expect(choice?.endsWith('exact')).toBe(nearest === 0);
      }),
    );
  });
});

describe('isSupportedVersion', () => {
  test.each([
    ['nodejs', '18.0.0', true],
    ['nodejs', '23.1.0', true],
    ['nodejs', '16.20.0', false],
    ['python', '3.9.0', true],
    ['python', '3.8.18', false],
    ['python', '2.10.0', false],
    ['python', '4.10.0', false],
  ] as const)('%s %s: %s', (family, version, supported) => {
    expect(isSupportedVersion(family, version)).toBe(supported);
  });
});

describe('compareVersions', () => {
  test('compares numbers, not text', () => {
    expect(compareVersions('22.10.0', '22.9.0')).toBeGreaterThan(0);
    expect(compareVersions('22.9.0', '22.9.1')).toBeLessThan(0);
    expect(compareVersions('3.11.2', '3.11.2')).toBe(0);
  });
});
