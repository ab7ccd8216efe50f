const BASE = '/2018-06-01/';
const ANSWER_PATH = /^runtime\/invocation\/([^/]+)\/(response|error)$/;

/** A call of the Runtime API, by its method and path. */
export type RuntimeCall =
  | { readonly kind: 'ping' }
  | { readonly kind: 'next' }
  | { readonly kind: 'init-error' }
  | { readonly kind: 'response' | 'error'; readonly requestId: string }
  /** The path is one of the API's, the method is not. */
  | { readonly kind: 'wrong-method' };

/** Recognises a call; undefined where the path is not the Runtime API's. */
export function recogniseCall(method: string | undefined, path: string): RuntimeCall | undefined {
  if (path === '/ping') return withMethod(method, 'GET', { kind: 'ping' });
  if (!path.startsWith(BASE)) return undefined;
  const rest = path.slice(BASE.length);
  if (rest === 'runtime/invocation/next') return withMethod(method, 'GET', { kind: 'next' });
  if (rest === 'runtime/init/error') return withMethod(method, 'POST', { kind: 'init-error' });
  // AWS's open emulator has it here, too.
  if (rest === 'ping') return withMethod(method, 'GET', { kind: 'ping' });
  const [, requestId, kind] = ANSWER_PATH.exec(rest) ?? [];
  if (requestId === undefined) return undefined;
  return withMethod(method, 'POST', { kind: kind === 'error' ? 'error' : 'response', requestId });
}

function withMethod(method: string | undefined, wanted: string, call: RuntimeCall): RuntimeCall {
  return method === wanted ? call : { kind: 'wrong-method' };
}
