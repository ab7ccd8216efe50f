import { ServiceError } from '../../domain/service-error.ts';
import type { ApiModel } from '../model/api-model.ts';

/** The operation that a request is for, with what its URI says. */
export interface OperationMatch {
  readonly operation: string;
  /** Decoded labels of the path by name, such as `FunctionName`. */
  readonly labels: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

interface Route {
  readonly operation: string;
  /** `undefined` stands for a label. */
  readonly segments: readonly (string | undefined)[];
  readonly labels: readonly string[];
  /** Query that belongs to the route, such as `List=ALL`. */
  readonly query: readonly (readonly [string, string])[];
}

/** Finds the operation of a request among all that the model has, whether they are built or not. */
export class OperationRouter {
  /** By method and number of segments; few remain to be compared. */
  readonly #routes = new Map<string, Route[]>();

  constructor(model: ApiModel) {
    for (const [operation, { method, uri }] of Object.entries(model.operations)) {
      const route = parseUri(operation, uri);
      const key = `${method} ${route.segments.length}`;
      const routes = this.#routes.get(key) ?? [];
      routes.push(route);
      this.#routes.set(key, routes);
    }
    // A route with more of its own words, or with a query of its own, goes before a general one.
    for (const routes of this.#routes.values()) {
      routes.sort((a, b) => a.labels.length - b.labels.length || b.query.length - a.query.length);
    }
  }

  /**
   * `url` is the request target in origin form. Undefined where no operation has it; throws
   * ValidationException where a label cannot be decoded.
   */
  match(method: string, url: string): OperationMatch | undefined {
    const queryStart = url.indexOf('?');
    const path = queryStart === -1 ? url : url.slice(0, queryStart);
    const segments = splitPath(path);
    const candidates = this.#routes.get(`${method} ${segments.length}`);
    if (candidates === undefined) return undefined;
    const query = new URLSearchParams(queryStart === -1 ? '' : url.slice(queryStart + 1));
    const route = candidates.find((candidate) => fits(candidate, segments, query));
    if (route === undefined) return undefined;
    const values = segments.filter((_, index) => route.segments[index] === undefined);
    const labels = route.labels.map((name, index) => [name, decodeLabel(values[index] ?? '')]);
    return { operation: route.operation, labels: Object.fromEntries(labels), query };
  }
}

function parseUri(operation: string, uri: string): Route {
  const [path = '', query = ''] = uri.split('?');
  const labels: string[] = [];
  const segments = splitPath(path).map((segment) => {
    if (!segment.startsWith('{')) return segment;
    labels.push(segment.slice(1, -1));
    return undefined;
  });
  return { operation, segments, labels, query: [...new URLSearchParams(query)] };
}

/** One slash at the end is ignored: older clients send `/functions/`. */
function splitPath(path: string): string[] {
  const end = path.length > 1 && path.endsWith('/') ? path.length - 1 : path.length;
  return path.slice(1, end).split('/');
}

function fits(route: Route, segments: readonly string[], query: URLSearchParams): boolean {
  return (
    route.segments.every((own, index) => own === undefined || own === segments[index]) &&
    route.query.every(([name, value]) => query.get(name) === value)
  );
}

function decodeLabel(label: string): string {
  try {
    return decodeURIComponent(label);
  } catch (cause) {
    const message = `Cannot read the path as its percent-encoding must be valid: received ${label.slice(0, 256)}`;
    throw new ServiceError('ValidationException', message, { cause });
  }
}
