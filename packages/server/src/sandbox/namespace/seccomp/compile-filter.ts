import { BpfCode, type BpfInstruction, jump, MAX_JUMP, statement } from './classic-bpf.ts';
import {
  type FilterArchitecture,
  NEWEST_KNOWN_NUMBER,
  systemCallNumber,
} from './system-call-numbers.ts';
import {
  ALLOW,
  type ArgumentCondition,
  ENOSYS,
  type FilterAction,
  type FilterCase,
  KILL,
  type SystemCallRule,
} from './system-call-rules.ts';

/** What a call comes to, once its number is known. */
interface Verdict {
  readonly cases: readonly FilterCase[];
  readonly otherwise: FilterAction;
}

/** All numbers from `first` up to the next range's first have this verdict. */
interface Range {
  readonly first: number;
  readonly verdict: Verdict;
}

// Offsets in `struct seccomp_data`; both architectures are little-endian.
const NUMBER_OFFSET = 0;
const ARCHITECTURE_OFFSET = 4;
const ARGUMENTS_OFFSET = 16;
const ARGUMENT_BYTES = 8;

/** AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64. */
export const AUDIT_ARCHITECTURE: Readonly<Record<FilterArchitecture, number>> = {
  x86_64: 0xc000_003e,
  aarch64: 0xc000_00b7,
};

// SECCOMP_RET_*: the action in the upper half, an errno in the lower.
export const RETURN_ALLOW = 0x7fff_0000;
export const RETURN_ERRNO = 0x0005_0000;
export const RETURN_KILL_PROCESS = 0x8000_0000;

/**
 * Compiles rules to a filter of one architecture. A call in another one's convention (`int 0x80` on
 * x86_64) ends the process: its numbers mean something else. Numbers beyond the newest known call,
 * among them all of the x32 convention, fail with ENOSYS.
 *
 * Numbers are found by bisection: the kernel runs the filter once for each number when it loads it,
 * so what is short is also loaded fast.
 */
export function compileFilter(
  rules: readonly SystemCallRule[],
  architecture: FilterArchitecture,
): BpfInstruction[] {
  return [
    statement(BpfCode.loadWord, ARCHITECTURE_OFFSET),
    jump(BpfCode.jumpIfEqual, AUDIT_ARCHITECTURE[architecture], 1, 0),
    verdictOf(KILL),
    statement(BpfCode.loadWord, NUMBER_OFFSET),
    ...compileRanges(rangesOf(rules, architecture)),
  ];
}

function rangesOf(rules: readonly SystemCallRule[], architecture: FilterArchitecture): Range[] {
  const verdicts = new Map<number, Verdict>();
  for (const { names, cases = [], otherwise } of rules) {
    for (const name of names) {
      const number = systemCallNumber(name, architecture);
      if (number === undefined) continue;
      if (verdicts.has(number)) throw new Error(`Cannot compile filter as ${name} has two rules`);
      verdicts.set(number, { cases, otherwise });
    }
  }
  const allowed: Verdict = { cases: [], otherwise: ALLOW };
  const ranges: Range[] = [];
  for (let number = 0; number <= NEWEST_KNOWN_NUMBER; number += 1) {
    const verdict = verdicts.get(number) ?? allowed;
    const previous = ranges.at(-1)?.verdict;
    if (previous === undefined || !isSame(previous, verdict)) {
      ranges.push({ first: number, verdict });
    }
  }
  ranges.push({ first: NEWEST_KNOWN_NUMBER + 1, verdict: { cases: [], otherwise: ENOSYS } });
  return ranges;
}

function isSame(one: Verdict, other: Verdict): boolean {
  if (one.cases.length > 0 || other.cases.length > 0) return one === other;
  return returnValue(one.otherwise) === returnValue(other.otherwise);
}

function compileRanges(ranges: readonly Range[]): BpfInstruction[] {
  const middle = ranges.length >> 1;
  const upper = ranges[middle];
  if (upper === undefined) return [];
  if (ranges.length === 1) return compileVerdict(upper.verdict);
  const below = compileRanges(ranges.slice(0, middle));
  const above = compileRanges(ranges.slice(middle));
  const test = { code: BpfCode.jumpIfGreaterOrEqual, operand: upper.first };
  if (below.length <= MAX_JUMP) {
    return [jump(test.code, test.operand, below.length, 0), ...below, ...above];
  }
  // Too far for a conditional jump.
  return [
    jump(test.code, test.operand, 0, 1),
    statement(BpfCode.jumpAlways, below.length),
    ...below,
    ...above,
  ];
}

function compileVerdict({ cases, otherwise }: Verdict): BpfInstruction[] {
  return [...cases.flatMap(compileCase), verdictOf(otherwise)];
}

/** Goes on behind itself where a condition does not hold. */
function compileCase({ when, action }: FilterCase): BpfInstruction[] {
  let compiled = [verdictOf(action)];
  for (const condition of when.toReversed()) {
    compiled = [...compileCondition(condition, compiled.length), ...compiled];
  }
  return compiled;
}

/** Skips `size` further instructions where the condition does not hold. */
function compileCondition(
  { argument, mask, oneOf }: ArgumentCondition,
  size: number,
): BpfInstruction[] {
  const load = statement(BpfCode.loadWord, ARGUMENTS_OFFSET + argument * ARGUMENT_BYTES);
  const masked = mask === undefined ? [] : [statement(BpfCode.and, mask)];
  const tests = oneOf.map((value, index) => {
    const left = oneOf.length - 1 - index;
    return jump(BpfCode.jumpIfEqual, value, left, left === 0 ? size : 0);
  });
  if (Math.max(size, oneOf.length) > MAX_JUMP) {
    throw new Error('Cannot compile filter as a condition is too long for a jump');
  }
  return [load, ...masked, ...tests];
}

function verdictOf(action: FilterAction): BpfInstruction {
  return statement(BpfCode.return, returnValue(action));
}

function returnValue(action: FilterAction): number {
  if (action.kind === 'fail') return RETURN_ERRNO | action.errno;
  return action.kind === 'allow' ? RETURN_ALLOW : RETURN_KILL_PROCESS;
}
