/** A function as a caller may name it: by name, partial ARN or ARN, each with or without a qualifier. */
export interface FunctionName {
  readonly functionName: string;
  readonly region?: string;
  readonly accountId?: string;
  /** `$LATEST`, a version or an alias. */
  readonly qualifier?: string;
}

const REGION = '(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\\d';
const NAME = '[a-zA-Z0-9-_.]+';
const QUALIFIER = '\\$LATEST(?:\\.PUBLISHED)?|[a-zA-Z0-9-_]+';

/**
 * The pattern of the API model, with groups. The parts in front of the name are optional one by one,
 * as on AWS; only what begins like an ARN must be a whole one.
 */
const FUNCTION_NAME = new RegExp(
  `^(?:(?<arn>arn:aws[a-zA-Z-]*:lambda):)?(?:(?<region>${REGION}):)?(?:(?<account>\\d{12}):)?` +
    `(?<resource>function:)?(?<name>${NAME})(?::(?<qualifier>${QUALIFIER}))?$`,
);

/** Longest text that can name a function; more is refused before the pattern is tried. */
const MAX_LENGTH = 256;

/** Reads a function's name; undefined where the text is none. */
export function parseFunctionName(text: string): FunctionName | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const groups = FUNCTION_NAME.exec(text)?.groups;
  if (groups?.name === undefined) return undefined;
  const { arn, region, account, resource, name, qualifier } = groups;
  const wholeArn = region !== undefined && account !== undefined && resource !== undefined;
  if (arn !== undefined && !wholeArn) return undefined;
  return {
    functionName: name,
    ...(region !== undefined && { region }),
    ...(account !== undefined && { accountId: account }),
    ...(qualifier !== undefined && { qualifier }),
  };
}
