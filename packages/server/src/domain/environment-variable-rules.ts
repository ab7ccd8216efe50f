import { MAX_ENVIRONMENT_BYTES } from './limits.ts';
import { ServiceError } from './service-error.ts';

/** Variables that the execution environment sets and that a function's configuration cannot. */
const RESERVED: ReadonlySet<string> = new Set([
  '_HANDLER',
  '_X_AMZN_TRACE_ID',
  'AWS_ACCESS_KEY',
  'AWS_ACCESS_KEY_ID',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  'AWS_DEFAULT_REGION',
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
  'AWS_LAMBDA_FUNCTION_NAME',
  'AWS_LAMBDA_FUNCTION_VERSION',
  'AWS_LAMBDA_INITIALIZATION_TYPE',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
  'AWS_LAMBDA_MAX_CONCURRENCY',
  'AWS_LAMBDA_METADATA_API',
  'AWS_LAMBDA_METADATA_TOKEN',
  'AWS_LAMBDA_RUNTIME_API',
  'AWS_REGION',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'LAMBDA_RUNTIME_DIR',
  'LAMBDA_TASK_ROOT',
]);

const REFUSED =
  'Lambda was unable to configure your environment variables because the environment variables you have provided';

/** More of an oversized environment is not repeated in the message. */
const MAX_MEASURED_LENGTH = 16_384;

/**
 * Checks a function's own variables beyond the pattern of their names: reserved ones, NUL, which no
 * process can have in its environment, and their size as compact JSON, which is how AWS measures.
 * Throws InvalidParameterValueException.
 */
export function checkEnvironmentVariables(variables: Readonly<Record<string, string>>): void {
  const names = Object.keys(variables);
  const reserved = names.filter((name) => RESERVED.has(name));
  if (reserved.length > 0) {
    throw refuse(
      `contains reserved keys that are currently not supported for modification. ` +
        `Reserved keys used in this request: ${reserved.join(', ')}`,
    );
  }
  const withNul = names.filter((name) => variables[name]?.includes('\0'));
  if (withNul.length > 0) {
    throw refuse(`contains a NUL character. Keys used in this request: ${withNul.join(', ')}`);
  }
  const measured = JSON.stringify(variables);
  if (Buffer.byteLength(measured) > MAX_ENVIRONMENT_BYTES) {
    throw refuse(
      `exceeded the 4KB limit. String measured: ${measured.slice(0, MAX_MEASURED_LENGTH)}`,
    );
  }
}

function refuse(reason: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', `${REFUSED} ${reason}`);
}
