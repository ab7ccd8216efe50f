import type { ServerResponse } from 'node:http';
import { isObject } from './is-object.ts';
import { shapeOf, type ApiModel, type Shape } from '../model/api-model.ts';

/** What an operation answers: members by the names of the model; undefined ones are left out. */
export type ApiOutput = Readonly<Record<string, unknown>>;

/** Answers with an operation's output, each member where the model says. */
export function sendOutput(
  response: ServerResponse,
  model: ApiModel,
  operationName: string,
  output: ApiOutput,
  requestId: string,
): void {
  const operation = model.operations[operationName];
  const shape: Shape =
    operation?.output === undefined
      ? { type: 'structure', members: {} }
      : shapeOf(model, operation.output);
  let status = operation?.status ?? 200;
  response.setHeader('x-amzn-RequestId', requestId);
  const content: [string, unknown][] = [];
  for (const [name, member] of Object.entries(shape.members ?? {})) {
    const value = output[name];
    if (value === undefined) continue;
    if (member.location === undefined) content.push([name, toJson(model, member.shape, value)]);
    else if (member.location === 'statusCode') status = Number(value);
    else if (typeof value === 'string') response.setHeader(member.locationName ?? name, value);
  }
  if (status === 204) {
    response.writeHead(status).end();
    return;
  }
  const body = Buffer.from(JSON.stringify(Object.fromEntries(content)));
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length });
  response.end(body);
}

function toJson(model: ApiModel, shapeName: string, value: unknown): unknown {
  const shape = shapeOf(model, shapeName);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof Date) return value.getTime() / 1_000;
  if (Array.isArray(value))
    return value.map((element) => toJson(model, shape.member ?? '', element));
  if (!isObject(value)) return value;
  const entries =
    shape.type === 'map'
      ? Object.entries(value).map(([key, entry]) => [key, toJson(model, shape.value ?? '', entry)])
      : Object.entries(shape.members ?? {})
          .filter(([name]) => value[name] !== undefined)
          .map(([name, member]) => [name, toJson(model, member.shape, value[name])]);
  return Object.fromEntries(entries);
}
