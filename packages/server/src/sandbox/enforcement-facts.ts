import type { SandboxEnforcement } from './sandbox.ts';

/** Whether a property is enforced on this machine, and if not, why and what would change it. */
export type EnforcementFact =
  | {
      readonly property: keyof SandboxEnforcement;
      readonly enforced: true;
      /** By what, in a few words. */
      readonly how?: string;
      /** What would enforce it better; undefined where nothing would. */
      readonly remedy?: string;
    }
  | {
      readonly property: keyof SandboxEnforcement;
      readonly enforced: false;
      readonly reason: string;
      /** What to do, as an order; undefined where nothing helps yet. */
      readonly remedy: string | undefined;
    };

export const ENFORCEMENT_PROPERTIES: readonly (keyof SandboxEnforcement)[] = [
  'memory',
  'cpu',
  'processes',
  'ephemeralStorage',
  'sharedMemory',
  'openFiles',
  'filesystem',
  'processIsolation',
  'network',
  'systemCalls',
  'user',
  'freeze',
];

/** The facts as the flags of the port. A property that has no fact is not enforced. */
export function enforcementOf(facts: readonly EnforcementFact[]): SandboxEnforcement {
  const enforced = (property: keyof SandboxEnforcement): boolean =>
    facts.some((fact) => fact.property === property && fact.enforced);
  return {
    memory: enforced('memory'),
    cpu: enforced('cpu'),
    processes: enforced('processes'),
    ephemeralStorage: enforced('ephemeralStorage'),
    sharedMemory: enforced('sharedMemory'),
    openFiles: enforced('openFiles'),
    filesystem: enforced('filesystem'),
    processIsolation: enforced('processIsolation'),
    network: enforced('network'),
    systemCalls: enforced('systemCalls'),
    user: enforced('user'),
    freeze: enforced('freeze'),
  };
}

/** Facts of a driver that enforces nothing at all, for one reason. */
export function nothingEnforced(reason: string, remedy: string | undefined): EnforcementFact[] {
  return ENFORCEMENT_PROPERTIES.map((property) => ({ property, enforced: false, reason, remedy }));
}
