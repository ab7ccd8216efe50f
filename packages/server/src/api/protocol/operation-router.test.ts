import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LAMBDA_MODEL } from '../model/api-model.ts';
import { OperationRouter } from './operation-router.ts';

const router = new OperationRouter(LAMBDA_MODEL);

describe('OperationRouter', () => {
  test('finds every operation of the model, whatever its labels hold', () => {
    const operation = fc.constantFrom(...Object.entries(LAMBDA_MODEL.operations));
    const label = fc.string({ minLength: 1, unit: 'grapheme' });
    const property = fc.property(operation, label, ([name, { method, uri }], value) => {
      const url = uri.replaceAll(/\{\w+\}/g, encodeURIComponent(value));
      const match = router.match(method, url);
      expect(match?.operation).toBe(name);
      const labels = [...uri.matchAll(/\{(\w+)\}/g)].map(([, found]) => found);
      expect(match?.labels).toEqual(Object.fromEntries(labels.map((found) => [found, value])));
    });
    fc.assert(property, { numRuns: 2_000 });
  });

  test.each([
    [
      'GET',
      '/2019-09-30/functions/f/provisioned-concurrency?List=ALL',
      'ListProvisionedConcurrencyConfigs',
    ],
    [
      'GET',
      '/2019-09-30/functions/f/provisioned-concurrency?Qualifier=1',
      'GetProvisionedConcurrencyConfig',
    ],
    ['GET', '/2018-10-31/layers?find=LayerVersion&Arn=x', 'GetLayerVersionByArn'],
    ['GET', '/2018-10-31/layers', 'ListLayers'],
    ['GET', '/2015-03-31/functions/', 'ListFunctions'],
    ['GET', '/2015-03-31/functions?Marker=/x/', 'ListFunctions'],
    ['GET', '/2019-09-25/functions/f/event-invoke-config/list', 'ListFunctionEventInvokeConfigs'],
  ])('%s %s is %s', (method, url, operation) => {
    expect(router.match(method, url)?.operation).toBe(operation);
  });

  test('reads labels that are percent-encoded ARNs', () => {
    const url = '/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af';
    expect(router.match('GET', url)?.labels).toEqual({
      Resource: 'arn:aws:lambda:us-east-1:000000000000:function:f',
    });
  });

  test.each([
    ['GET', '/'],
    ['GET', '/2015-03-31'],
    ['PATCH', '/2015-03-31/functions'],
    ['GET', '/2015-03-31/functions/f/nothing'],
    ['GET', '/2016-03-31/functions/f'],
  ])('%s %s is no operation', (method, url) => {
    expect(router.match(method, url)).toBeUndefined();
  });

  test('a label that cannot be decoded is refused', () => {
    expect(() => router.match('GET', '/2015-03-31/functions/%c3%28')).toThrow(
      'Cannot read the path as its percent-encoding must be valid',
    );
  });
});
