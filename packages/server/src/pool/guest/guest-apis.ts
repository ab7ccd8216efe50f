import type { Socket } from 'node:net';
import type { Clock } from '../../clock/clock.ts';
import type { FunctionVersion } from '../../domain/function.ts';
import { ExtensionRegistry } from '../../runtime-api/extensions/extension-registry.ts';
import { ExtensionRoutes } from '../../runtime-api/extensions/extension-routes.ts';
import { EnvironmentApi } from '../../runtime-api/http/environment-api.ts';
import type { RuntimeSession } from '../../runtime-api/runtime-session.ts';
import { TelemetryRoutes } from '../../runtime-api/telemetry/telemetry-routes.ts';
import {
  TelemetryStreams,
  type SubscriptionListener,
} from '../../runtime-api/telemetry/telemetry-streams.ts';
import type { GuestNetwork } from '../../sandbox/guest-network.ts';

export interface GuestApisParts {
  readonly version: FunctionVersion;
  /** How the runtime talks: `framed` ones have a channel of their own. */
  readonly protocol: 'framed' | 'http';
  readonly network: GuestNetwork;
  readonly clock: Clock;
  /** Told of each subscription of an extension. */
  readonly onSubscribed: SubscriptionListener;
}

/**
 * What the processes of one life are served at AWS_LAMBDA_RUNTIME_API: Runtime API, Extensions API,
 * Telemetry API. A life has its own, so that nothing of an old process reaches a new one's.
 */
export class GuestApis implements Disposable {
  readonly protocol: 'framed' | 'http';
  readonly extensions: ExtensionRegistry;
  readonly telemetry: TelemetryStreams;
  readonly #api: EnvironmentApi;

  constructor({ version, protocol, network, clock, onSubscribed }: GuestApisParts) {
    this.protocol = protocol;
    this.extensions = new ExtensionRegistry(clock);
    this.telemetry = new TelemetryStreams({
      clock,
      connect: (port, signal) => network.connect(port, signal),
      onSubscribed,
    });
    const extensionRoutes = new ExtensionRoutes(this.extensions, () => ({
      functionName: version.functionName,
      functionVersion: version.version,
      handler: version.handler,
      accountId: version.accountId,
    }));
    const telemetryRoutes = new TelemetryRoutes(this.extensions, this.telemetry);
    this.#api = new EnvironmentApi({
      runtime: protocol,
      routes: {
        handle: (request, response) =>
          extensionRoutes.handle(request, response) || telemetryRoutes.handle(request, response),
      },
    });
  }

  /** Of a runtime that has no channel. */
  get runtime(): RuntimeSession {
    return this.#api.runtime;
  }

  /** Serves a connection from the sandbox. */
  attach(socket: Socket): void {
    this.#api.attach(socket);
  }

  /** Cuts what is connected. */
  [Symbol.dispose](): void {
    this.#api[Symbol.dispose]();
    this.telemetry[Symbol.dispose]();
    this.extensions[Symbol.dispose]();
  }
}
