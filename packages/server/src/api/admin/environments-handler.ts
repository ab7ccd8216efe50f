import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendJson } from './json-response.ts';

/** What is listed, ready to be sent as JSON. */
export interface EnvironmentsHandlerOptions {
  /** All that there are now. */
  readonly environments: () => Iterable<object>;
  /** Booted workers that wait for a function. */
  readonly readyWorkers: () => number;
  /** The latest first; of one environment where its id is given. */
  readonly transitions: (environmentId?: string) => Iterable<object>;
}

const MAX_TRANSITIONS = 1_000;
const ENVIRONMENT_ID = /^[0-9a-f]{32}$/;

/**
 * Serves `GET /_hearth/environments`: what environments there are and in which state. With
 * `?transitions=true` also how they came to be in it, the latest first, with `&environment=<id>` of
 * one of them.
 */
export function createEnvironmentsHandler(
  options: EnvironmentsHandlerOptions,
): (request: IncomingMessage, response: ServerResponse, url: URL) => void {
  return (_request, response, url) => {
    const id = url.searchParams.get('environment') ?? undefined;
    if (id !== undefined && !ENVIRONMENT_ID.test(id)) {
      sendJson(response, 400, {
        message: 'Cannot list transitions as environment must be an id of 32 hexadecimal digits',
      });
      return;
    }
    const wantsTransitions = id !== undefined || url.searchParams.get('transitions') === 'true';
    sendJson(response, 200, {
      environments: [...options.environments()],
      readyWorkers: options.readyWorkers(),
      ...(wantsTransitions && {
        transitions: [...Iterator.from(options.transitions(id)).take(MAX_TRANSITIONS)],
      }),
    });
  };
}
