import type { GuestNetwork } from '../guest-network.ts';
import { HostNetwork } from '../host-network.ts';
import type { SpawnScope } from './spawn-scope.ts';

/** The network of one sandbox as the driver needs it; disposed once no process of it is left. */
export interface SandboxNetwork extends GuestNetwork, AsyncDisposable {
  /** What bubblewrap is started in; undefined: where the server is. */
  readonly scope: SpawnScope | undefined;
}

/** Gives each sandbox a network. */
export interface SandboxNetworks extends AsyncDisposable {
  /** Rejects, and leaves nothing behind, where it fails. */
  open(environmentId: string): Promise<SandboxNetwork>;
}

/** For machines on which sandboxes have no network of their own. */
export class HostNetworks implements SandboxNetworks {
  async open(): Promise<SandboxNetwork> {
    return Object.assign(new HostNetwork(), { scope: undefined });
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
