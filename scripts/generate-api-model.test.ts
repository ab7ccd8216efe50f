import { describe, expect, test } from 'vitest';
import { formatModel, trimModel } from './generate-api-model.ts';

const SOURCE = {
  metadata: { apiVersion: '2015-03-31', protocol: 'rest-json' },
  operations: {
    GetThing: {
      http: { method: 'GET', requestUri: '/things/{Name}' },
      input: { shape: 'GetThingRequest' },
      documentation: '<p>long</p>',
    },
  },
  shapes: {
    GetThingRequest: {
      type: 'structure',
      required: ['Name'],
      members: {
        Name: { shape: 'Name', location: 'uri', locationName: 'Name', documentation: 'x' },
      },
    },
    Name: { type: 'string', max: 9, min: 1, pattern: '[a-z]+', documentation: 'x' },
    Unused: { type: 'string' },
    GoneException: {
      type: 'structure',
      exception: true,
      error: { httpStatusCode: 410, senderFault: true },
      members: { message: { shape: 'Name' } },
    },
    BrokenException: {
      type: 'structure',
      exception: true,
      members: { Message: { shape: 'Name' } },
    },
  },
};

describe('trimModel', () => {
  test('keeps what the server reads, and only shapes that operations reach', () => {
    expect(trimModel(SOURCE, 'botocore 1.2.3')).toEqual({
      source: 'botocore 1.2.3',
      apiVersion: '2015-03-31',
      operations: {
        GetThing: { method: 'GET', uri: '/things/{Name}', status: 200, input: 'GetThingRequest' },
      },
      shapes: {
        GetThingRequest: {
          type: 'structure',
          required: ['Name'],
          members: { Name: { shape: 'Name', location: 'uri', locationName: 'Name' } },
        },
        Name: { type: 'string', max: 9, min: 1, pattern: '[a-z]+' },
      },
      errors: {
        BrokenException: { status: 500, messageKey: 'Message', type: 'Service' },
        GoneException: { status: 410, messageKey: 'message', type: 'User' },
      },
    });
  });

  test('refuses a model of another protocol', () => {
    const other = { ...SOURCE, metadata: { apiVersion: '1', protocol: 'query' } };
    expect(() => trimModel(other, 'x')).toThrow('its protocol must be rest-json: received query');
  });

  test('refuses a model that lacks a shape', () => {
    const { Name: _name, ...shapes } = SOURCE.shapes;
    expect(() => trimModel({ ...SOURCE, shapes }, 'x')).toThrow('it lacks shape Name');
  });
});

test('formatModel writes JSON, one shape a line', () => {
  const model = trimModel(SOURCE, 'botocore 1.2.3');
  const text = formatModel(model);
  expect(JSON.parse(text)).toEqual(model);
  expect(text.split('\n').filter((line) => line.includes('"Name": {"type"'))).toHaveLength(1);
});
