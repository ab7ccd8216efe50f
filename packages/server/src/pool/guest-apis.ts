import type { Socket } from 'node:net';
import type { Clock } from '../clock/clock.ts';
import type { FunctionVersion } from '../domain/function.ts';
import { ExtensionRegistry } from '../runtime-api/extensions/extension-registry.ts';
import { ExtensionRoutes } from '../runtime-api/extensions/extension-routes.ts';
import { EnvironmentApi } from '../runtime-api/http/environment-api.ts';
import type { RuntimeSession } from '../runtime-api/runtime-session.ts';

/**
 * What the processes of one life are served at AWS_LAMBDA_RUNTIME_API: Runtime API, Extensions API,
 * Telemetry API. A life has its own, so that nothing of an old process reaches a new one's.
 */
export class GuestApis implements Disposable {
  /** How the runtime talks: `framed` ones have a channel of their own. */
  readonly protocol: 'framed' | 'http';
  readonly extensions: ExtensionRegistry;
  readonly #api: EnvironmentApi;

  constructor(version: FunctionVersion, protocol: 'framed' | 'http', clock: Clock) {
    this.protocol = protocol;
    this.extensions = new ExtensionRegistry(clock);
    this.#api = new EnvironmentApi({
      runtime: this.protocol,
      routes: new ExtensionRoutes(this.extensions, () => ({
        functionName: version.functionName,
        functionVersion: version.version,
        handler: version.handler,
        accountId: version.accountId,
      })),
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
    this.extensions[Symbol.dispose]();
  }
}
