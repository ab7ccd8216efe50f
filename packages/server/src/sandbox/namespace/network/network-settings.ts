import { writeFileSync } from 'node:fs';
import { errorCode } from '../../../system-calls/error-code.ts';

/** Sets properties, named by paths below `/proc/sys/net`, of the namespace that the thread is in. */
export function setNetworkSettings(settings: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(settings)) {
    try {
      writeFileSync(`/proc/sys/net/${name}`, value, { flag: 'r+' });
    } catch (error) {
      // A kernel without IPv6 has nothing to turn off.
      if (!name.startsWith('ipv6/') || errorCode(error) !== 'ENOENT') throw error;
    }
  }
}
