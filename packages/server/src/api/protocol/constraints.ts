import { ServiceError } from '../../domain/service-error.ts';
import { shapeOf, type ApiModel, type Shape } from '../model/api-model.ts';
import { isObject } from './is-object.ts';

/** More violations than this are not looked for, and longer values are not repeated whole. */
const MAX_VIOLATIONS = 100;
const MAX_VALUE_LENGTH = 4_096;

/** Enumerations that the operation itself checks, as AWS answers another error for them. */
const CHECKED_ELSEWHERE: ReadonlySet<string> = new Set(['Runtime']);

/**
 * Checks an input against the constraints of its shape: required members, lengths, ranges, patterns
 * and enumerations, at any depth. Throws one ValidationException that names all violations, in
 * AWS's words.
 */
export function checkConstraints(
  model: ApiModel,
  shapeName: string,
  input: Readonly<Record<string, unknown>>,
): void {
  const violations: string[] = [];
  new ConstraintCheck(model, violations).structure(shapeOf(model, shapeName), input, '');
  if (violations.length > 0) throw validationError(violations);
}

/** The ValidationException for violations that are found; at least one. */
export function validationError(violations: readonly string[]): ServiceError {
  const count = `${violations.length} validation error${violations.length === 1 ? '' : 's'} detected`;
  return new ServiceError('ValidationException', `${count}: ${violations.join('; ')}`);
}

/** One violation, such as `Value '0' at 'timeout' failed to satisfy constraint: Member must …`. */
export function violation(shown: string | undefined, path: string, constraint: string): string {
  const value = shown === undefined ? 'Value' : `Value ${shown}`;
  return `${value} at '${path}' failed to satisfy constraint: ${constraint}`;
}

class ConstraintCheck {
  readonly #model: ApiModel;
  readonly #violations: string[];

  constructor(model: ApiModel, violations: string[]) {
    this.#model = model;
    this.#violations = violations;
  }

  structure(shape: Shape, value: Readonly<Record<string, unknown>>, parent: string): void {
    for (const [name, member] of Object.entries(shape.members ?? {})) {
      if (this.#violations.length >= MAX_VIOLATIONS) return;
      const path = parent + name.charAt(0).toLowerCase() + name.slice(1);
      const found = Object.hasOwn(value, name) ? value[name] : undefined;
      if (found !== undefined) this.#value(member.shape, found, path);
      else if (shape.required?.includes(name)) {
        this.#violations.push(violation('null', path, 'Member must not be null'));
      }
    }
  }

  #value(shapeName: string, value: unknown, path: string): void {
    const shape = shapeOf(this.#model, shapeName);
    const shown = this.#isSensitive(shape) ? undefined : quote(value);
    for (const constraint of ownViolations(shapeName, shape, value)) {
      this.#violations.push(violation(shown, path, constraint));
    }
    if (Array.isArray(value)) this.#list(shape, value, path, shown);
    else if (!isObject(value)) return;
    else if (shape.type === 'structure') this.structure(shape, value, `${path}.`);
    else if (shape.type === 'map') this.#map(shape, value, path, shown);
  }

  #list(shape: Shape, elements: readonly unknown[], path: string, shown: string | undefined): void {
    const elementName = shape.member ?? '';
    const element = shapeOf(this.#model, elementName);
    if (element.type === 'structure') {
      for (const [index, item] of elements.entries()) {
        if (this.#violations.length >= MAX_VIOLATIONS) return;
        if (item !== undefined) this.#value(elementName, item, `${path}.${index + 1}.member`);
      }
      return;
    }
    const broken = elements.some(
      (item) => item === undefined || ownViolations(elementName, element, item).length > 0,
    );
    if (!broken) return;
    const all = [...allConstraints(element), 'Member must not be null'].join(', ');
    this.#violations.push(violation(shown, path, `Member must satisfy constraint: [${all}]`));
  }

  #map(
    shape: Shape,
    entries: Readonly<Record<string, unknown>>,
    path: string,
    shown: string | undefined,
  ): void {
    this.#mapSide('Map keys', shape.key ?? '', Object.keys(entries), path, shown);
    this.#mapSide('Map value', shape.value ?? '', Object.values(entries), path, shown);
  }

  #mapSide(
    side: 'Map keys' | 'Map value',
    shapeName: string,
    values: readonly unknown[],
    path: string,
    shown: string | undefined,
  ): void {
    const shape = shapeOf(this.#model, shapeName);
    const broken = values.some(
      (value) => value === undefined || ownViolations(shapeName, shape, value).length > 0,
    );
    if (!broken) return;
    const all = [...allConstraints(shape), 'Member must not be null'].join(', ');
    this.#violations.push(violation(shown, path, `${side} must satisfy constraint: [${all}]`));
  }

  #isSensitive(shape: Shape): boolean {
    const inner = shape.member === undefined ? undefined : shapeOf(this.#model, shape.member);
    return shape.sensitive === true || inner?.sensitive === true || inner?.type === 'structure';
  }
}

/** The constraints of the value itself, not of what it holds, that it breaks. */
function ownViolations(shapeName: string, shape: Shape, value: unknown): string[] {
  const broken: string[] = [];
  if (typeof value === 'string') {
    if (
      shape.enum !== undefined &&
      !CHECKED_ELSEWHERE.has(shapeName) &&
      !shape.enum.includes(value)
    ) {
      broken.push(enumConstraint(shape.enum));
    }
    if (shape.pattern !== undefined && !matches(shape.pattern, value, shape.max)) {
      broken.push(patternConstraint(shape.pattern));
    }
  }
  const [size, kind] = measure(value);
  if (size === undefined) return broken;
  if (shape.max !== undefined && size > shape.max) broken.push(atMost(kind, shape.max));
  if (shape.min !== undefined && size < shape.min) broken.push(atLeast(kind, shape.min));
  return broken;
}

/** Every constraint of an element, as AWS lists them where one of them is broken. */
function allConstraints(shape: Shape): string[] {
  const kind = ['integer', 'long', 'double', 'float'].includes(shape.type) ? 'value' : 'length';
  const constraints: string[] = [];
  if (shape.max !== undefined) constraints.push(atMost(kind, shape.max));
  if (shape.min !== undefined) constraints.push(atLeast(kind, shape.min));
  if (shape.pattern !== undefined) constraints.push(patternConstraint(shape.pattern));
  if (shape.enum !== undefined) constraints.push(enumConstraint(shape.enum));
  return constraints;
}

const enumConstraint = (values: readonly string[]): string =>
  `Member must satisfy enum value set: [${values.join(', ')}]`;
const patternConstraint = (pattern: string): string =>
  `Member must satisfy regular expression pattern: ${pattern}`;
const atMost = (kind: string, limit: number): string =>
  `Member must have ${kind} less than or equal to ${limit}`;
const atLeast = (kind: string, limit: number): string =>
  `Member must have ${kind} greater than or equal to ${limit}`;

function measure(value: unknown): [number | undefined, 'value' | 'length'] {
  if (typeof value === 'number') return [value, 'value'];
  if (typeof value === 'string' || Array.isArray(value) || value instanceof Uint8Array) {
    return [value.length, 'length'];
  }
  if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
    return [Object.keys(value).length, 'length'];
  }
  return [undefined, 'length'];
}

const compiled = new Map<string, RegExp>();

/** Whether a pattern of the model, which is Java's, matches the whole text. */
export function compilePattern(pattern: string): RegExp {
  let expression = compiled.get(pattern);
  if (expression === undefined) {
    expression = new RegExp(`^(?:${pattern})$`, pattern.includes('\\p{') ? 'u' : '');
    compiled.set(pattern, expression);
  }
  return expression;
}

/** A text far beyond its length limit breaks that anyway and is not run through the pattern. */
function matches(pattern: string, text: string, max: number | undefined): boolean {
  if (max !== undefined && text.length > max * 4) return true;
  return compilePattern(pattern).test(text);
}

/** The value as Java prints it. */
function quote(value: unknown): string {
  const text = javaText(value);
  return `'${text.length > MAX_VALUE_LENGTH ? `${text.slice(0, MAX_VALUE_LENGTH)}…` : text}'`;
}

function javaText(value: unknown): string {
  if (value === undefined) return 'null';
  if (Array.isArray(value)) return `[${value.slice(0, MAX_VALUE_LENGTH).map(javaText).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).slice(0, MAX_VALUE_LENGTH);
    return `{${entries.map(([key, entry]) => `${key}=${javaText(entry)}`).join(', ')}}`;
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}
