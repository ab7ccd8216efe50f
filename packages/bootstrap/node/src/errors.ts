import { types } from 'node:util';

/** An error of the runtime itself, with the name that AWS Lambda gives it. */
export class RuntimeError extends Error {
  constructor(name: string, message: string) {
    super(message);
    this.name = `Runtime.${name}`;
  }
}

export function nodeJsExit(): RuntimeError {
  return new RuntimeError(
    'NodeJsExit',
    'The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly ' +
      'caused by a Promise that was never settled. For more information, see ' +
      'https://nodejs.org/docs/latest/api/process.html#exit-codes',
  );
}

/** Wraps a rejection nobody handled; the fields are shown in the log. */
export class UnhandledPromiseRejection extends RuntimeError {
  readonly reason: unknown;
  readonly promise: unknown;

  constructor(reason: unknown, promise: unknown) {
    super('UnhandledPromiseRejection', textOf(reason));
    this.reason = reason;
    this.promise = promise;
  }
}

/** What the caller gets as the error of an event or of init. */
export interface ErrorResponse {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace?: readonly string[];
}

/** Never throws, whatever a function has thrown. */
export function toErrorResponse(error: unknown): ErrorResponse {
  try {
    if (isErrorLike(error)) {
      return {
        errorType: textOf(error.name),
        errorMessage: textOf(error.message),
        trace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
      };
    }
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage:
        'callback called with Error argument, but there was a problem while retrieving one or ' +
        'more of its message, name, and stack',
    };
  }
}

/** The JSON behind `Invoke Error`; it starts with a tab, as on AWS Lambda. */
export function toLogText(error: unknown): string {
  try {
    return `\t${JSON.stringify(asError(error), (_key, value: unknown) => withHiddenFields(value))}`;
  } catch {
    return `\t${JSON.stringify(toErrorResponse(error))}`;
  }
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(textOf(error));
}

/** Errors of another realm, such as those of a `vm` context, are no instances of Error here. */
function isErrorLike(error: unknown): error is Error {
  if (types.isNativeError(error)) return true;
  if (typeof error !== 'object' || error === null) return false;
  const { name, message, stack } = error as Partial<Error>;
  return isText(name) && isText(message) && isText(stack);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

/** Name, message and stack of an error are not enumerable, so JSON leaves them out. */
function withHiddenFields(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const fields: Record<string, unknown> = {
    errorType: value.name,
    errorMessage: value.message,
    code: 'code' in value ? value.code : undefined,
  };
  Object.assign(fields, value);
  if (typeof value.stack === 'string') fields['stack'] = value.stack.split('\n');
  return fields;
}

/** Some values, such as an object without a prototype, cannot be made a text. */
function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
