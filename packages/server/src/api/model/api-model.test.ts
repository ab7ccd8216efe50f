import { describe, expect, test } from 'vitest';
import { SERVICE_ERRORS } from '../../domain/service-error.ts';
import { compilePattern } from '../protocol/constraints.ts';
import { OPERATION_HANDLERS } from '../operations/operation-handlers.ts';
import { LAMBDA_MODEL, shapeOf } from './api-model.ts';

describe('the model of the Lambda API', () => {
  test('names its source', () => {
    expect(LAMBDA_MODEL.source).toMatch(/^botocore \d+\.\d+\.\d+$/);
  });

  test('every shape that is named is there', () => {
    const named = Object.values(LAMBDA_MODEL.shapes).flatMap(({ members, member, key, value }) => [
      ...Object.values(members ?? {}).map(({ shape }) => shape),
      ...[member, key, value].filter((name) => name !== undefined),
    ]);
    expect(named.filter((name) => LAMBDA_MODEL.shapes[name] === undefined)).toEqual([]);
  });

  test('every pattern can be compiled', () => {
    const patterns = Object.values(LAMBDA_MODEL.shapes).flatMap(({ pattern }) => pattern ?? []);
    expect(patterns.length).toBeGreaterThan(50);
    for (const pattern of patterns) expect(compilePattern(pattern)).toBeInstanceOf(RegExp);
  });

  test('every operation that is built is one of the model', () => {
    for (const name of Object.keys(OPERATION_HANDLERS)) {
      expect(LAMBDA_MODEL.operations).toHaveProperty(name);
    }
  });

  test('our errors have the status and the message key of the model', () => {
    const modelled = Object.entries(SERVICE_ERRORS).filter(([name]) => name in LAMBDA_MODEL.errors);
    expect(modelled.length).toBeGreaterThan(5);
    const ours = modelled.map(([name, { httpStatus, messageKey, type }]) => [
      name,
      { status: httpStatus, messageKey, type },
    ]);
    expect(ours).toEqual(modelled.map(([name]) => [name, LAMBDA_MODEL.errors[name]]));
  });

  test('a shape that it lacks is a fault of ours', () => {
    expect(() => shapeOf(LAMBDA_MODEL, 'Nothing')).toThrow('Cannot find shape Nothing');
  });
});
