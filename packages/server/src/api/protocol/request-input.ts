import type { IncomingHttpHeaders } from 'node:http';
import { ServiceError } from '../../domain/service-error.ts';
import { shapeOf, type ApiModel, type Member, type Shape } from '../model/api-model.ts';
import { isObject } from './is-object.ts';
import { readJsonValue, typeWord } from './json-value.ts';
import type { OperationMatch } from './operation-router.ts';

/** Members by the names of the model. Types are those of the shapes; constraints are not checked. */
export type ApiInput = Readonly<Record<string, unknown>>;

/**
 * Reads the input of an operation from where the model says: path, query, headers, body. Absent and
 * null members are left out, unknown ones ignored. Throws SerializationException where a value has
 * the wrong type, InvalidRequestContentException where the body is no JSON.
 */
export function readInput(
  model: ApiModel,
  match: OperationMatch,
  headers: IncomingHttpHeaders,
  body: Buffer,
): ApiInput {
  const inputName = model.operations[match.operation]?.input;
  if (inputName === undefined) return {};
  const shape = shapeOf(model, inputName);
  const content = readContent(model, shape, body);
  const input: [string, unknown][] = [];
  for (const [name, member] of Object.entries(shape.members ?? {})) {
    const value = Object.hasOwn(content, name)
      ? content[name]
      : readFromHead(model, name, member, match, headers);
    if (value !== undefined) input.push([name, value]);
  }
  return Object.fromEntries(input);
}

function readContent(
  model: ApiModel,
  shape: Shape,
  body: Buffer,
): Readonly<Record<string, unknown>> {
  if (shape.payload !== undefined) {
    const member = shape.members?.[shape.payload];
    if (member === undefined || body.length === 0) return {};
    const blob = shapeOf(model, member.shape).type === 'blob';
    const value = blob ? body : readJsonValue(model, member.shape, parseJson(body));
    return value === undefined ? {} : { [shape.payload]: value };
  }
  const inBody = Object.entries(shape.members ?? {}).filter(
    ([, { location }]) => location === undefined,
  );
  if (inBody.length === 0 || body.length === 0) return {};
  const bodyShape = { type: 'structure', members: Object.fromEntries(inBody) };
  const content = readJsonValue(model, bodyShape, parseJson(body));
  return isObject(content) ? content : {};
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    // The parser's own message repeats the body, which may be a secret or megabytes long.
    const message = 'Could not parse request body into json: the body must be valid JSON';
    throw new ServiceError('InvalidRequestContentException', message, { cause });
  }
}

function readFromHead(
  model: ApiModel,
  name: string,
  { shape: shapeName, location, locationName = name }: Member,
  { labels, query }: OperationMatch,
  headers: IncomingHttpHeaders,
): unknown {
  const shape = shapeOf(model, shapeName);
  if (location === 'uri') return readText(shape, labels[locationName]);
  if (location === 'querystring') {
    if (shape.type === 'list')
      return query.has(locationName) ? query.getAll(locationName) : undefined;
    return readText(shape, query.get(locationName) ?? undefined);
  }
  if (location !== 'header') return undefined;
  const header = headers[locationName.toLowerCase()];
  return readText(shape, Array.isArray(header) ? header.join(', ') : header);
}

function readText(shape: Shape, text: string | undefined): unknown {
  if (text === undefined) return undefined;
  switch (shape.type) {
    case 'integer':
    case 'long':
      if (/^[+-]?\d{1,15}$/.test(text)) return Number(text);
      break;
    case 'double':
    case 'float':
      if (/^[+-]?\d{1,15}(?:\.\d{1,15})?$/.test(text)) return Number(text);
      break;
    case 'boolean':
      if (text === 'true' || text === 'false') return text === 'true';
      break;
    case 'timestamp': {
      const timeMs = Date.parse(text);
      if (!Number.isNaN(timeMs)) return new Date(timeMs);
      break;
    }
    default:
      return text;
  }
  throw new ServiceError(
    'SerializationException',
    `STRING_VALUE cannot be converted to ${typeWord(shape)}`,
  );
}
