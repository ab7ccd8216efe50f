/** How the names of all links of Hearth on the host begin: for rules of other packet filters. */
export const LINK_PREFIX = 'hearth';

/** Names of what an instance makes for its network on the host; the kernel allows 15 characters. */
export function networkNames(instanceId: string): {
  readonly link: string;
  readonly table: string;
} {
  return { link: `${LINK_PREFIX}${instanceId.slice(0, 8)}`, table: `hearth_${instanceId}` };
}
