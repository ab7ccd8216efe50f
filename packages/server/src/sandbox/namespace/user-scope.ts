import type { CredentialCalls } from '../../system-calls/credential-calls.ts';
import type { SpawnScope } from './spawn-scope.ts';
import type { HostUser } from './uid-range.ts';

/**
 * The user of an environment. The last of the scopes to be entered: the others take rights that an
 * environment's user does not have. No thread may be made inside, as it would stay that user.
 */
export class UserScope implements SpawnScope {
  readonly #calls: CredentialCalls;
  readonly #user: HostUser;

  constructor(calls: CredentialCalls, user: HostUser) {
    this.#calls = calls;
    this.#user = user;
  }

  spawnInside<Child>(spawn: () => Child): Child {
    try {
      this.#calls.become(this.#user);
      return spawn();
    } finally {
      this.#return();
    }
  }

  #return(): void {
    try {
      this.#calls.restore();
    } catch {
      // The kernel has no reason to refuse it. A server must not go on as somebody else.
      process.abort();
    }
  }
}
