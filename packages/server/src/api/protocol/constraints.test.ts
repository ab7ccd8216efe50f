import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LAMBDA_MODEL, type ApiModel } from '../model/api-model.ts';
import { checkConstraints } from './constraints.ts';

const MODEL: ApiModel = {
  source: 'test',
  apiVersion: '1',
  operations: {},
  errors: {},
  shapes: {
    Input: {
      type: 'structure',
      required: ['Name'],
      members: {
        Name: { shape: 'Name' },
        Count: { shape: 'Count' },
        Color: { shape: 'Color' },
        Secret: { shape: 'Secret' },
        Names: { shape: 'Names' },
        Items: { shape: 'Items' },
        Tags: { shape: 'Tags' },
        Runtime: { shape: 'Runtime' },
      },
    },
    Name: { type: 'string', min: 2, max: 4, pattern: '[a-z]+' },
    Count: { type: 'integer', min: 1, max: 9 },
    Color: { type: 'string', enum: ['red', 'blue'] },
    Secret: { type: 'string', max: 2, sensitive: true },
    Names: { type: 'list', member: 'Name', max: 3 },
    Items: { type: 'list', member: 'Item' },
    Item: { type: 'structure', members: { Count: { shape: 'Count' } } },
    Tags: { type: 'map', key: 'Name', value: 'Secret' },
    Runtime: { type: 'string', enum: ['a'] },
  },
};

function messageOf(input: Record<string, unknown>): string | undefined {
  try {
    checkConstraints(MODEL, 'Input', input);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : undefined;
  }
}

describe('checkConstraints', () => {
  test.each<[Record<string, unknown>, string]>([
    [{}, "Value null at 'name' failed to satisfy constraint: Member must not be null"],
    [
      { Name: 'a' },
      "Value 'a' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 2",
    ],
    [
      { Name: 'abcde' },
      "Value 'abcde' at 'name' failed to satisfy constraint: Member must have length less than or equal to 4",
    ],
    [
      { Name: 'AB' },
      "Value 'AB' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]+",
    ],
    [
      { Name: 'ab\n' },
      "Value 'ab\n' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]+",
    ],
    [
      { Name: 'ab', Count: 0 },
      "Value '0' at 'count' failed to satisfy constraint: Member must have value greater than or equal to 1",
    ],
    [
      { Name: 'ab', Count: 10 },
      "Value '10' at 'count' failed to satisfy constraint: Member must have value less than or equal to 9",
    ],
    [
      { Name: 'ab', Color: 'pink' },
      "Value 'pink' at 'color' failed to satisfy constraint: Member must satisfy enum value set: [red, blue]",
    ],
    [
      { Name: 'ab', Secret: 'abc' },
      "Value at 'secret' failed to satisfy constraint: Member must have length less than or equal to 2",
    ],
    [
      { Name: 'ab', Names: ['ab', 'B'] },
      "Value '[ab, B]' at 'names' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 4, Member must have length greater than or equal to 2, Member must satisfy regular expression pattern: [a-z]+, Member must not be null]",
    ],
    [
      { Name: 'ab', Names: ['ab', 'ab', 'ab', 'ab'] },
      "Value '[ab, ab, ab, ab]' at 'names' failed to satisfy constraint: Member must have length less than or equal to 3",
    ],
    [
      { Name: 'ab', Items: [{}, { Count: 0 }] },
      "Value '0' at 'items.2.member.count' failed to satisfy constraint: Member must have value greater than or equal to 1",
    ],
    [
      { Name: 'ab', Tags: { A: 'x' } },
      "Value '{A=x}' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 4, Member must have length greater than or equal to 2, Member must satisfy regular expression pattern: [a-z]+, Member must not be null]",
    ],
    [
      { Name: 'ab', Tags: { ab: 'xyz' } },
      "Value '{ab=xyz}' at 'tags' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length less than or equal to 2, Member must not be null]",
    ],
  ])('%j', (input, message) => {
    expect(messageOf(input)).toBe(`1 validation error detected: ${message}`);
  });

  test('all violations come in one message', () => {
    expect(messageOf({ Name: 'A', Count: 0 })).toBe(
      '3 validation errors detected: ' +
        "Value 'A' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]+; " +
        "Value 'A' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 2; " +
        "Value '0' at 'count' failed to satisfy constraint: Member must have value greater than or equal to 1",
    );
  });

  test('runtimes are left to the operation', () => {
    expect(messageOf({ Name: 'ab', Runtime: 'z' })).toBeUndefined();
  });

  test('passes exactly what every constraint allows', () => {
    const input = fc.record({
      Name: fc.stringMatching(/^[a-zA]{0,6}$/),
      Count: fc.integer({ min: -1, max: 11 }),
    });
    const property = fc.property(input, ({ Name, Count }) => {
      const isAllowed = /^[a-z]{2,4}$/.test(Name) && Count >= 1 && Count <= 9;
      return (messageOf({ Name, Count }) === undefined) === isAllowed;
    });
    expect(() => fc.assert(property, { numRuns: 2_000 })).not.toThrow();
  });

  test('takes anything of the right types for every operation of the model', () => {
    const names = Object.values(LAMBDA_MODEL.operations).flatMap(({ input }) => input ?? []);
    const property = fc.property(fc.constantFrom(...names), fc.string(), (name, text) => {
      const members = Object.entries(LAMBDA_MODEL.shapes[name]?.members ?? {});
      const strings = members.filter(
        ([, { shape }]) => LAMBDA_MODEL.shapes[shape]?.type === 'string',
      );
      const input = Object.fromEntries(strings.map(([member]) => [member, text]));
      try {
        checkConstraints(LAMBDA_MODEL, name, input);
        return true;
      } catch (error) {
        return error instanceof Error && error.name === 'ValidationException';
      }
    });
    expect(() => fc.assert(property, { numRuns: 2_000 })).not.toThrow();
  });

  test('neither the number of mistakes nor their size makes the message large', () => {
    const many = messageOf({
      Name: 'ab',
      Items: Array.from({ length: 100_000 }, () => ({ Count: 0 })),
    });
    expect(many).toMatch(/^100 validation errors detected: /);
    expect(messageOf({ Name: 'x'.repeat(10_000_000) })?.length).toBeLessThan(10_000);
    expect(
      messageOf({ Name: 'ab', Names: Array.from({ length: 1_000_000 }, () => 'ab') })?.length,
    ).toBeLessThan(10_000);
  });
});
