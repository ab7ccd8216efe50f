import { ServiceError } from '../../domain/service-error.ts';
import { shapeOf, type ApiModel, type Shape } from '../model/api-model.ts';
import { isObject } from './is-object.ts';

/** How AWS names the JSON token that it did not expect, and the types that it wanted. */
const TYPE_WORDS: Readonly<Record<string, string>> = {
  structure: 'structure',
  list: 'list',
  map: 'map',
  string: 'String',
  integer: 'Integer',
  long: 'Long',
  double: 'Double',
  float: 'Float',
  boolean: 'Boolean',
  blob: 'Blob',
  timestamp: 'Timestamp',
};

const MAX_INTEGER = 2 ** 31 - 1;

/**
 * Gives a parsed JSON value the type of its shape: blobs become Buffers, timestamps Dates. Null is
 * undefined. Throws SerializationException where the JSON is of another type. Goes only as deep as
 * the shapes do, however deep the JSON is.
 */
export function readJsonValue(
  model: ApiModel,
  shapeOrName: string | Shape,
  value: unknown,
): unknown {
  if (value === null || value === undefined) return undefined;
  const shape = typeof shapeOrName === 'string' ? shapeOf(model, shapeOrName) : shapeOrName;
  switch (shape.type) {
    case 'structure':
      return readStructure(model, shape, value);
    case 'map':
      return readMap(model, shape, value);
    case 'list':
      if (!Array.isArray(value)) throw unexpected(shape, value);
      // A null element is kept, for the constraints to name it.
      return value.map((element) => readJsonValue(model, shape.member ?? '', element));
    case 'string':
      if (typeof value !== 'string') throw unexpected(shape, value);
      return value;
    case 'boolean':
      if (typeof value !== 'boolean') throw unexpected(shape, value);
      return value;
    case 'blob':
      return readBlob(shape, value);
    case 'timestamp':
      if (typeof value !== 'number' || Math.abs(value) > 8.64e12) throw unexpected(shape, value);
      return new Date(value * 1_000);
    default:
      return readNumber(shape, value);
  }
}

function readStructure(model: ApiModel, shape: Shape, value: unknown): Record<string, unknown> {
  const source = asObject(shape, value);
  const members: [string, unknown][] = [];
  for (const [name, member] of Object.entries(shape.members ?? {})) {
    if (!Object.hasOwn(source, name)) continue;
    const read = readJsonValue(model, member.shape, source[name]);
    if (read !== undefined) members.push([name, read]);
  }
  return Object.fromEntries(members);
}

/** Object.fromEntries defines keys, so that one called `__proto__` is a key like any other. */
function readMap(model: ApiModel, shape: Shape, value: unknown): Record<string, unknown> {
  const entries = Object.entries(asObject(shape, value));
  return Object.fromEntries(
    entries.map(([key, entry]) => [key, readJsonValue(model, shape.value ?? '', entry)]),
  );
}

function readBlob(shape: Shape, value: unknown): Buffer {
  if (typeof value !== 'string') throw unexpected(shape, value);
  const bytes = Buffer.from(value, 'base64');
  // The decoder skips what is not base64; then it has made fewer bytes than the text stands for.
  const padding = value.endsWith('==') ? 2 : value.endsWith('=') ? 1 : 0;
  if (bytes.length !== Math.floor(((value.length - padding) * 3) / 4)) {
    throw new ServiceError(
      'SerializationException',
      'STRING_VALUE cannot be converted to Blob: invalid base64',
    );
  }
  return bytes;
}

function readNumber(shape: Shape, value: unknown): number {
  if (typeof value !== 'number') throw unexpected(shape, value);
  const whole = shape.type === 'integer' || shape.type === 'long';
  const limit = shape.type === 'integer' ? MAX_INTEGER : Number.MAX_SAFE_INTEGER;
  if (whole && !(Number.isInteger(value) && Math.abs(value) <= limit))
    throw unexpected(shape, value);
  return value;
}

function asObject(shape: Shape, value: unknown): Readonly<Record<string, unknown>> {
  if (!isObject(value)) throw unexpected(shape, value);
  return value;
}

function unexpected(shape: Shape, value: unknown): ServiceError {
  return new ServiceError('SerializationException', describe(shape, value));
}

function describe(shape: Shape, value: unknown): string {
  if (Array.isArray(value)) return 'Start of list found where not expected';
  if (typeof value === 'object') return 'Start of structure or map found where not expected';
  const token = typeof value === 'boolean' ? String(value) : typeof value;
  return `${token.toUpperCase()}_VALUE cannot be converted to ${typeWord(shape)}`;
}

/** The type of a shape as messages name it. */
export function typeWord(shape: Shape): string {
  return TYPE_WORDS[shape.type] ?? shape.type;
}
