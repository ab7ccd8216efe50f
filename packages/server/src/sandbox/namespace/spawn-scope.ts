/**
 * Something that the server's thread steps into, so that what it starts there is in it from its
 * first instruction: a control group, a network namespace.
 */
export interface SpawnScope {
  /** Calls `spawn`, which must not wait for anything, and steps out again before it returns. */
  spawnInside<Child>(spawn: () => Child): Child;
}

/** Spawns in all of the scopes at once; the first is entered first and left last. */
export function spawnWithin<Child>(scopes: readonly SpawnScope[], spawn: () => Child): Child {
  const [outer, ...inner] = scopes;
  if (outer === undefined) return spawn();
  return outer.spawnInside(() => spawnWithin(inner, spawn));
}
