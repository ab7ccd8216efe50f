import type { EnforcementFact } from '../enforcement-facts.ts';
import type { SandboxEnforcement } from '../sandbox.ts';
import { SHARED_MEMORY_MB } from './bwrap-arguments.ts';
import type { Controller } from './control-group-files.ts';
import { OPEN_FILES } from './launch-bwrap.ts';
import { PROCESSES } from './mounted-place.ts';
import type { NamespaceHost } from './namespace-host.ts';
import { findFilterObstacle } from './seccomp/seccomp-filter.ts';

const AS_ROOT = 'start Hearth as root';
const NOT_ROOT = 'the server does not run as root';
const DELEGATE =
  'mount the controller in /sys/fs/cgroup, or run Hearth as a systemd service with Delegate=yes';

/** What namespaces enforce on this machine, property by property. */
export function namespaceFacts(host: NamespaceHost): EnforcementFact[] {
  const controlled = (
    property: keyof SandboxEnforcement,
    controller: Controller,
    how: string,
  ): EnforcementFact => {
    const groups = host.controlGroups;
    if (groups === undefined) {
      return { property, enforced: false, reason: NOT_ROOT, remedy: AS_ROOT };
    }
    const reason = groups.missing[controller];
    return reason === undefined
      ? { property, enforced: true, how: `${how} (cgroup v${groups.versionOf(controller)})` }
      : { property, enforced: false, reason, remedy: DELEGATE };
  };
  return [
    controlled('memory', 'memory', memoryText(host)),
    controlled('cpu', 'cpu', 'one core for each 1,769 MB of memory'),
    controlled('processes', 'pids', `${PROCESSES} processes and threads`),
    storageFact(host),
    { property: 'sharedMemory', enforced: true, how: `/dev/shm of ${SHARED_MEMORY_MB} MB` },
    { property: 'openFiles', enforced: true, how: `${OPEN_FILES} descriptors a process` },
    {
      property: 'filesystem',
      enforced: true,
      how: 'a root of its own: system, runtime, code and layers read-only',
    },
    { property: 'processIsolation', enforced: true, how: 'a PID namespace of its own' },
    host.network.fact,
    systemCallFact(),
    host.isPrivileged
      ? { property: 'user', enforced: true, how: 'a user of its own on the host, no capabilities' }
      : {
          property: 'user',
          enforced: false,
          reason: 'functions run as the user of the server',
          remedy: AS_ROOT,
        },
    controlled('freeze', 'freezer', 'nothing of it runs between events'),
  ];
}

function memoryText({ diskObstacle }: NamespaceHost): string {
  return diskObstacle === undefined
    ? "the function's memory size"
    : "the function's memory size and that of its /tmp together";
}

function storageFact(host: NamespaceHost): EnforcementFact {
  const property = 'ephemeralStorage';
  if (!host.isPrivileged) {
    const reason = '/tmp is a plain folder, as only root may mount one of a fixed size';
    return { property, enforced: false, reason, remedy: AS_ROOT };
  }
  const { diskObstacle: obstacle } = host;
  if (obstacle === undefined) {
    return { property, enforced: true, how: '/tmp is a disk of its own of that size' };
  }
  const how = `/tmp is memory of that size, as ${obstacle.reason}`;
  return { property, enforced: true, how, remedy: obstacle.remedy };
}

function systemCallFact(): EnforcementFact {
  const property = 'systemCalls';
  const obstacle = findFilterObstacle();
  return obstacle === undefined
    ? { property, enforced: true, how: 'a seccomp filter that names what is allowed' }
    : { property, enforced: false, ...obstacle };
}
