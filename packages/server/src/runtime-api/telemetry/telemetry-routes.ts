import type { IncomingMessage, ServerResponse } from 'node:http';
import { ExtensionApiError } from '../extensions/extension-api-error.ts';
import { extensionIdentifier } from '../extensions/extension-identifier.ts';
import type { ExtensionRegistry } from '../extensions/extension-registry.ts';
import {
  discardBody,
  readBoundedBody,
  requestPath,
  sendApiError,
  sendBytes,
  sendJson,
  type ApiRoutes,
} from '../http/api-route.ts';
import type { TelemetryApi } from './subscription.ts';
import { parseSubscription } from './subscription-request.ts';
import type { TelemetryStreams } from './telemetry-streams.ts';

/** AWS's documents write the path of the first with a slash at its end, too. */
const PATHS: ReadonlyMap<string, TelemetryApi> = new Map([
  ['/2022-07-01/telemetry', 'telemetry'],
  ['/2022-07-01/telemetry/', 'telemetry'],
  ['/2020-08-15/logs', 'logs'],
]);

const TITLES = { telemetry: 'Telemetry', logs: 'Logs' } as const;

const MAX_SUBSCRIPTION_BYTES = 65_536;

/**
 * AWS's Telemetry API (2022-07-01) and Logs API (2020-08-15), as HTTP. Without `streams` both answer
 * 202 and do nothing, as AWS's emulator does where it cannot deliver.
 *
 * Subscriptions close when every extension is ready.
 *
 * (unverified): the status of a subscription through the other API, of which AWS only says that it is
 * an error, here 400; and that subscribing again changes the subscription.
 */
export class TelemetryRoutes implements ApiRoutes {
  readonly #registry: ExtensionRegistry;
  readonly #streams: TelemetryStreams | undefined;

  constructor(registry: ExtensionRegistry, streams: TelemetryStreams | undefined) {
    this.#registry = registry;
    this.#streams = streams;
    if (streams === undefined) return;
    const close = (): void => streams.closeSubscriptions();
    registry.initialised.then(close, close);
  }

  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const api = PATHS.get(requestPath(request));
    if (api === undefined) return false;
    if (request.method !== 'PUT') {
      discardBody(request);
      sendBytes(response, 405, 'text/plain; charset=utf-8', Buffer.alloc(0));
      return true;
    }
    const streams = this.#streams;
    if (streams === undefined) {
      discardBody(request);
      const title = TITLES[api];
      sendApiError(response, 202, `${title}.NotSupported`, `${title} API is not supported`);
      return true;
    }
    this.#subscribe(streams, api, request, response).catch(() =>
      sendApiError(response, 500, 'InternalServerError', 'Internal Server Error'),
    );
    return true;
  }

  async #subscribe(
    streams: TelemetryStreams,
    api: TelemetryApi,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const body = await readBoundedBody(request, MAX_SUBSCRIPTION_BYTES);
    if (body.kind === 'truncated') return;
    const name = this.#nameOf(request, response);
    if (name === undefined) return;
    if (!streams.isOpen) {
      const title = TITLES[api];
      sendApiError(
        response,
        403,
        `${title}.SubscriptionClosed`,
        `${title} API subscription is closed already`,
      );
      return;
    }
    const refusal =
      body.kind === 'too-large' ? 'the body is too large' : this.#take(streams, api, name, body);
    if (refusal === undefined) sendJson(response, 200, 'OK');
    else {
      const errorType = api === 'logs' ? 'Logs.ValidationError' : 'ValidationError';
      sendApiError(response, 400, errorType, refusal);
    }
  }

  /** Subscribes, or says why not. */
  #take(
    streams: TelemetryStreams,
    api: TelemetryApi,
    name: string,
    body: { readonly bytes: Buffer },
  ): string | undefined {
    const parsed = parseSubscription(body.bytes, api);
    if (parsed.kind === 'invalid') return parsed.message;
    const earlier = streams.subscriptionOf(name)?.api;
    if (earlier !== undefined && earlier !== api) {
      return `already subscribed through the ${TITLES[earlier]} API`;
    }
    streams.subscribe(name, parsed.subscription);
    return undefined;
  }

  /** The extension that asks; undefined where nobody does, who has then been answered. */
  #nameOf(request: IncomingMessage, response: ServerResponse): string | undefined {
    try {
      const identifier = extensionIdentifier(request);
      const name = this.#registry.nameOf(identifier);
      if (name !== undefined) return name;
      const message = `Unknown extension ${identifier}`;
      throw new ExtensionApiError('Extension.UnknownExtensionIdentifier', message);
    } catch (error) {
      if (!(error instanceof ExtensionApiError)) throw error;
      sendApiError(response, 403, error.errorType, error.message);
      return undefined;
    }
  }
}
