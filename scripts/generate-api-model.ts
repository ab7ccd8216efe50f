/**
 * Makes `packages/server/src/api/model/lambda.json` from botocore's description of the Lambda API:
 * operations, shapes, constraints and errors, without documentation.
 *
 *     node scripts/generate-api-model.ts PATH/service-2.json SOURCE-VERSION
 *
 * PATH is `botocore/data/lambda/2015-03-31/service-2.json` (unpacked), SOURCE-VERSION the release it
 * came from, such as `botocore 1.44.5`. For development only; the result is committed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type {
  ApiModel,
  ErrorTraits,
  Member,
  Operation,
  Shape,
} from '../packages/server/src/api/model/api-model.ts';

interface SourceShape {
  readonly type: string;
  readonly members?: Readonly<Record<string, SourceMember>>;
  readonly member?: SourceMember;
  readonly key?: SourceMember;
  readonly value?: SourceMember;
  readonly required?: readonly string[];
  readonly payload?: string;
  readonly enum?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly sensitive?: boolean;
  readonly streaming?: boolean;
  readonly eventstream?: boolean;
  readonly exception?: boolean;
  readonly error?: { readonly httpStatusCode: number; readonly senderFault?: boolean };
}

interface SourceMember {
  readonly shape: string;
  readonly location?: string;
  readonly locationName?: string;
}

interface SourceModel {
  readonly metadata: { readonly apiVersion: string; readonly protocol: string };
  readonly operations: Readonly<Record<string, SourceOperation>>;
  readonly shapes: Readonly<Record<string, SourceShape>>;
}

interface SourceOperation {
  readonly http: {
    readonly method: string;
    readonly requestUri: string;
    readonly responseCode?: number;
  };
  readonly input?: { readonly shape: string };
  readonly output?: { readonly shape: string };
}

/** Reduces botocore's model to what the server reads. Throws where it holds something unknown. */
export function trimModel(source: SourceModel, sourceVersion: string): ApiModel {
  if (source.metadata.protocol !== 'rest-json') {
    throw new Error(
      `Cannot generate the model as its protocol must be rest-json: received ${source.metadata.protocol}`,
    );
  }
  const operations = mapValues(source.operations, trimOperation);
  const shapes: Record<string, Shape> = {};
  const visit = (name: string): void => {
    if (Object.hasOwn(shapes, name)) return;
    const shape = source.shapes[name];
    if (shape === undefined) throw new Error(`Cannot generate the model as it lacks shape ${name}`);
    shapes[name] = trimShape(shape);
    for (const member of membersOf(shape)) visit(member.shape);
  };
  for (const { input, output } of Object.values(operations)) {
    if (input !== undefined) visit(input);
    if (output !== undefined) visit(output);
  }
  return {
    source: sourceVersion,
    apiVersion: source.metadata.apiVersion,
    operations,
    shapes: sortKeys(shapes),
    errors: errorsOf(source),
  };
}

function trimOperation({ http, input, output }: SourceOperation): Operation {
  return {
    method: http.method,
    uri: http.requestUri,
    status: http.responseCode ?? 200,
    ...(input && { input: input.shape }),
    ...(output && { output: output.shape }),
  };
}

function trimShape(shape: SourceShape): Shape {
  return {
    type: shape.type,
    ...(shape.members && { members: mapValues(shape.members, trimMember) }),
    ...(shape.member && { member: shape.member.shape }),
    ...(shape.key && { key: shape.key.shape }),
    ...(shape.value && { value: shape.value.shape }),
    ...(shape.required && { required: shape.required }),
    ...(shape.payload !== undefined && { payload: shape.payload }),
    ...(shape.enum && { enum: shape.enum }),
    ...(shape.min !== undefined && { min: shape.min }),
    ...(shape.max !== undefined && { max: shape.max }),
    ...(shape.pattern !== undefined && { pattern: shape.pattern }),
    ...(shape.sensitive && { sensitive: true }),
    ...(shape.streaming && { streaming: true }),
    ...(shape.eventstream && { eventstream: true }),
  };
}

function trimMember({ shape, location, locationName }: SourceMember): Member {
  return {
    shape,
    ...(location !== undefined && { location }),
    ...(locationName !== undefined && { locationName }),
  };
}

function errorsOf(source: SourceModel): Record<string, ErrorTraits> {
  const errors: Record<string, ErrorTraits> = {};
  for (const [name, shape] of Object.entries(source.shapes)) {
    if (shape.exception !== true) continue;
    errors[name] = {
      status: shape.error?.httpStatusCode ?? 500,
      messageKey: Object.hasOwn(shape.members ?? {}, 'message') ? 'message' : 'Message',
      type: shape.error?.senderFault === true ? 'User' : 'Service',
    };
  }
  return sortKeys(errors);
}

function membersOf(shape: SourceShape): SourceMember[] {
  const inner = [shape.member, shape.key, shape.value].filter((member) => member !== undefined);
  return [...Object.values(shape.members ?? {}), ...inner];
}

function mapValues<From, To>(
  record: Readonly<Record<string, From>>,
  change: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

function sortKeys<Value>(record: Record<string, Value>): Record<string, Value> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** One operation, shape or error a line, so that an update of the model reads well as a diff. */
export function formatModel(model: ApiModel): string {
  return `{
  "source": ${JSON.stringify(model.source)},
  "apiVersion": ${JSON.stringify(model.apiVersion)},
  "operations": {
${section(model.operations)}
  },
  "shapes": {
${section(model.shapes)}
  },
  "errors": {
${section(model.errors)}
  }
}
`;
}

function section(record: object): string {
  return Object.entries(record)
    .map(([key, value]) => `    ${JSON.stringify(key)}: ${JSON.stringify(value)}`)
    .join(',\n');
}

function main(): void {
  const [path, sourceVersion] = process.argv.slice(2);
  if (path === undefined || sourceVersion === undefined) {
    console.error('Usage: node scripts/generate-api-model.ts PATH/service-2.json SOURCE-VERSION');
    process.exitCode = 2;
    return;
  }
  const source: SourceModel = JSON.parse(readFileSync(path, 'utf8'));
  const target = new URL('../packages/server/src/api/model/lambda.json', import.meta.url);
  const model = trimModel(source, sourceVersion);
  writeFileSync(target, formatModel(model));
  const counts = `${Object.keys(model.operations).length} operations, ${Object.keys(model.shapes).length} shapes`;
  console.error(`Wrote ${target.pathname}: ${counts}`);
}

if (import.meta.main) main();
