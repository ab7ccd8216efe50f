/** A JSON object, or an empty one where `value` is something else. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : {};
}

export function textField(value: unknown, name: string): string | undefined {
  const field = asObject(value)[name];
  return typeof field === 'string' ? field : undefined;
}

export function numberField(value: unknown, name: string): number | undefined {
  const field = asObject(value)[name];
  return typeof field === 'number' ? field : undefined;
}

export function listField(value: unknown, name: string): readonly unknown[] {
  const field = asObject(value)[name];
  return Array.isArray(field) ? field : [];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
