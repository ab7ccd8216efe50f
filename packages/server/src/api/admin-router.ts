import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendLine } from './http-answer.ts';

/** Where the server's own endpoints live; never on a function's host. */
export const ADMIN_PREFIX = '/_hearth/';

/** One endpoint of the server itself. */
export interface AdminRoute {
  readonly method: string;
  /** Path such as `/_hearth/health`; one that ends with a slash stands for all below it. */
  readonly path: string;
  /** `url` is the request's own, on a base that means nothing. A rejection is answered with 500. */
  readonly handle: (
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
  ) => void | Promise<void>;
}

export type AdminRouter = (request: IncomingMessage, response: ServerResponse) => void;

/** Makes the router of the endpoints below `/_hearth/`. */
export function createAdminRouter(
  routes: readonly AdminRoute[],
  onFault: (error: unknown) => void,
): AdminRouter {
  return (request, response) => {
    const url = parseUrl(request.url ?? '/');
    const onPath = url === undefined ? [] : routes.filter(({ path }) => isOn(path, url.pathname));
    const route = onPath.find(({ method }) => method === request.method);
    if (url === undefined || onPath.length === 0) {
      sendLine(response, 404, 'There is no such page');
    } else if (route === undefined) {
      response.setHeader('Allow', onPath.map(({ method }) => method).join(', '));
      sendLine(
        response,
        405,
        `The method must be ${onPath.map(({ method }) => method).join(' or ')}`,
      );
    } else {
      runRoute(route, request, response, url).catch((error: unknown) => {
        onFault(error);
        if (response.headersSent) response.destroy();
        else sendLine(response, 500, 'Internal failure');
      });
    }
  };
}

async function runRoute(
  route: AdminRoute,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<void> {
  await route.handle(request, response, url);
}

function isOn(path: string, pathname: string): boolean {
  return path.endsWith('/') ? pathname.startsWith(path) : pathname === path;
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text, 'http://server') ? new URL(text, 'http://server') : undefined;
}
