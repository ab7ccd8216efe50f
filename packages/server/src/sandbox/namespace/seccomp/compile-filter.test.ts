import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FilteredCall, runFilter } from './bpf-interpreter-fixture.ts';
import { encodeProgram } from './classic-bpf.ts';
import {
  AUDIT_ARCHITECTURE,
  compileFilter,
  RETURN_ALLOW,
  RETURN_ERRNO,
  RETURN_KILL_PROCESS,
} from './compile-filter.ts';
import {
  type FilterArchitecture,
  NEWEST_KNOWN_NUMBER,
  SYSTEM_CALL_NAMES,
  type SystemCallName,
  systemCallNumber,
} from './system-call-numbers.ts';
import { type FilterAction, SYSTEM_CALL_RULES, type SystemCallRule } from './system-call-rules.ts';

const ARCHITECTURES = ['x86_64', 'aarch64'] as const;
const UINT32 = fc.integer({ min: 0, max: 0xffff_ffff });
const ACTION = fc.oneof(
  fc.constant<FilterAction>({ kind: 'allow' }),
  fc.constant<FilterAction>({ kind: 'kill' }),
  fc.integer({ min: 1, max: 133 }).map((errno): FilterAction => ({ kind: 'fail', errno })),
);

function valueOf(action: FilterAction): number {
  if (action.kind === 'allow') return RETURN_ALLOW;
  return action.kind === 'kill' ? RETURN_KILL_PROCESS : RETURN_ERRNO + action.errno;
}

/** What rules mean, said without a program. */
function meaningOf(
  rules: readonly SystemCallRule[],
  architecture: FilterArchitecture,
  call: FilteredCall,
): number {
  if (call.architecture !== AUDIT_ARCHITECTURE[architecture]) return RETURN_KILL_PROCESS;
  if (call.number > NEWEST_KNOWN_NUMBER) return RETURN_ERRNO + 38;
  const rule = rules.find(({ names }) =>
    names.some((name) => systemCallNumber(name, architecture) === call.number),
  );
  if (rule === undefined) return RETURN_ALLOW;
  const found = rule.cases?.find(({ when }) =>
    when.every(({ argument, mask = 0xffff_ffff, oneOf }) => {
      const low = Number(BigInt.asUintN(32, call.callArguments[argument] ?? 0n));
      return oneOf.some((value) => value === (low & mask) >>> 0);
    }),
  );
  return valueOf(found?.action ?? rule.otherwise);
}

const CONDITION = fc.record(
  {
    argument: fc.integer({ min: 0, max: 5 }),
    mask: fc.oneof(UINT32, fc.constant(0xff)),
    // Few values, so that conditions hold often enough.
    oneOf: fc.array(fc.oneof(UINT32, fc.integer({ min: 0, max: 3 })), {
      minLength: 1,
      maxLength: 8,
    }),
  },
  { requiredKeys: ['argument', 'oneOf'] },
);
const CASE = fc.record({ when: fc.array(CONDITION, { maxLength: 4 }), action: ACTION });

/** Rules that name each call at most once. */
const RULES = fc
  .uniqueArray(fc.constantFrom<SystemCallName>(...SYSTEM_CALL_NAMES), { maxLength: 75 })
  .chain((names) =>
    fc.tuple(
      ...names.map((name) =>
        fc.record({
          names: fc.constant([name]),
          cases: fc.array(CASE, { maxLength: 5 }),
          otherwise: ACTION,
          reason: fc.constant('a test'),
        }),
      ),
    ),
  );

const ARGUMENT = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: 0n, max: 3n }),
  UINT32.map((low) => (1n << 63n) + BigInt(low)),
);

function callOf(architecture: FilterArchitecture): fc.Arbitrary<FilteredCall> {
  return fc.record({
    number: fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 0, max: NEWEST_KNOWN_NUMBER + 2 }) },
      { weight: 1, arbitrary: UINT32 },
    ),
    architecture: fc.oneof(
      { weight: 9, arbitrary: fc.constant(AUDIT_ARCHITECTURE[architecture]) },
      { weight: 1, arbitrary: UINT32 },
    ),
    callArguments: fc.array(ARGUMENT, { minLength: 6, maxLength: 6 }),
  });
}

describe.each(ARCHITECTURES)('a filter for %s', (architecture) => {
  test('does with any call what its rules say', () => {
    fc.assert(
      fc.property(
        RULES,
        fc.array(callOf(architecture), { minLength: 20, maxLength: 20 }),
        (rules, calls) => {
          const program = encodeProgram(compileFilter(rules, architecture));
          for (const call of calls) {
            expect(runFilter(program, call).value).toBe(meaningOf(rules, architecture, call));
          }
        },
      ),
    );
  });

  test('finds each call in few steps', () => {
    const program = encodeProgram(compileFilter(SYSTEM_CALL_RULES, architecture));
    const own = AUDIT_ARCHITECTURE[architecture];
    const callArguments = [0n, 0n, 0n, 0n, 0n, 0n];
    for (let number = 0; number <= NEWEST_KNOWN_NUMBER; number += 1) {
      const call = { number, architecture: own, callArguments };
      const { value, steps } = runFilter(program, call);
      expect(value).toBe(meaningOf(SYSTEM_CALL_RULES, architecture, call));
      expect(steps).toBeLessThanOrEqual(25);
    }
  });

  test('has no call for the other convention of the processor', () => {
    const program = encodeProgram(compileFilter(SYSTEM_CALL_RULES, architecture));
    const outcome = (number: number, of: number): number =>
      runFilter(program, { number, architecture: of, callArguments: [] }).value;
    // AUDIT_ARCH_I386 and AUDIT_ARCH_ARM.
    for (const foreign of [0x4000_0003, 0x4000_0028]) {
      expect(outcome(1, foreign)).toBe(RETURN_KILL_PROCESS);
    }
    // x32: the number of getpid with a bit set.
    expect(outcome(0x4000_0027, AUDIT_ARCHITECTURE[architecture])).toBe(RETURN_ERRNO + 38);
  });

  test('sees flags through upper halves that the kernel ignores', () => {
    const program = encodeProgram(compileFilter(SYSTEM_CALL_RULES, architecture));
    const number = systemCallNumber('ioctl', architecture) ?? -1;
    for (const upper of [0n, 1n << 32n, 0xffff_ffffn << 32n]) {
      const callArguments = [0n, upper | 0x5412n, 0n, 0n, 0n, 0n];
      const call = { number, architecture: AUDIT_ARCHITECTURE[architecture], callArguments };
      expect(runFilter(program, call).value).toBe(RETURN_ERRNO + 1);
    }
  });
});

test('no call has two rules, and each rule says why', () => {
  const names = SYSTEM_CALL_RULES.flatMap((rule) => rule.names);
  expect(names.length).toBe(new Set(names).size);
  expect(SYSTEM_CALL_RULES.filter(({ reason }) => reason === '')).toEqual([]);
  expect(SYSTEM_CALL_NAMES.filter((name) => !names.includes(name))).toEqual([]);
});

test('a call with two rules is no filter', () => {
  const rule: SystemCallRule = { names: ['bpf'], otherwise: { kind: 'allow' }, reason: 'a test' };
  expect(() => compileFilter([rule, rule], 'x86_64')).toThrow('bpf has two rules');
});

const HEADERS = {
  x86_64: '/usr/include/x86_64-linux-gnu/asm/unistd_64.h',
  aarch64: '/usr/include/asm-generic/unistd.h',
};

test.for(ARCHITECTURES)('the numbers of %s are those of the kernel', (architecture, { skip }) => {
  const header = HEADERS[architecture];
  skip(!existsSync(header), `needs ${header}`);
  const defined = new Map(
    [...readFileSync(header, 'latin1').matchAll(/^#define __NR_(\w+)\s+(\d+)/gm)].map(
      ([, name = '', number]) => [name, Number(number)],
    ),
  );
  const checked = SYSTEM_CALL_NAMES.filter((name) => defined.has(name));
  expect(checked.length).toBeGreaterThan(40);
  for (const name of checked) {
    expect([name, systemCallNumber(name, architecture)]).toEqual([name, defined.get(name)]);
  }
});
