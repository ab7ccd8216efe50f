import { chmodSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { LinuxSystemCalls } from '../../system-calls/linux-system-calls.ts';
import type { InstanceNetwork } from './network/instance-network.ts';
import { makeFolder } from './mount-folder.ts';
import { procMasks } from './proc-masks.ts';
import { prepareRoot, rootArguments } from './system-root.ts';

/** The user of a function, as AWS names it. */
export const GUEST_UID = 993;
export const GUEST_GID = 990;
export const GUEST_HOSTNAME = 'hearth';

const ETC_FILES: Readonly<Record<string, string>> = {
  passwd: [
    'root:x:0:0:root:/root:/sbin/nologin',
    `sbx_user1051:x:${GUEST_UID}:${GUEST_GID}::/home/sbx_user1051:/sbin/nologin`,
    'nobody:x:65534:65534:nobody:/:/sbin/nologin',
    '',
  ].join('\n'),
  group: ['root:x:0:', `sbx_user1051:x:${GUEST_GID}:`, 'nogroup:x:65534:', ''].join('\n'),
  hosts: [
    // By the last two names extensions listen for telemetry.
    `127.0.0.1 localhost ${GUEST_HOSTNAME} sandbox.localdomain sandbox`,
    '::1 localhost ip6-localhost ip6-loopback',
    '',
  ].join('\n'),
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
};

/** Files of the host that are copied; a copy is replaced when the host's file changes. */
const RESOLVER_FILE = 'resolv.conf';
const COPIED_ETC = [RESOLVER_FILE, 'ld.so.cache', 'services', 'protocols', 'os-release'];

/**
 * The part of a sandbox's file system that all environments share: the system's programs and
 * libraries, and an /etc that tells nothing of the host.
 */
export class SystemImage {
  /** Arguments of bubblewrap, the first that concern the file system. */
  readonly arguments: readonly string[];
  /** Those for after `--proc`. */
  readonly procArguments: readonly string[];
  /** Those that make the root read-only once everything is there, where it is not already. */
  readonly closingArguments: readonly string[];
  readonly #etc: string;
  readonly #resolver: Pick<InstanceNetwork, 'resolverFile'>;
  readonly #versions = new Map<string, string>();

  /**
   * @param folder where it is made; every user whose sandboxes show it may enter
   * @param resolver makes the resolv.conf of sandboxes from the host's
   * @param calls to mount the image once for all; undefined where only bubblewrap can, for each sandbox
   */
  constructor(
    folder: string,
    resolver: Pick<InstanceNetwork, 'resolverFile'>,
    calls: LinuxSystemCalls | undefined,
  ) {
    this.#resolver = resolver;
    const empty = join(folder, 'empty');
    writeForAll(empty, '');
    this.procArguments = procMasks(empty);
    const root = join(folder, 'root');
    makeFolder(root, 0o755);
    this.#etc = join(root, 'etc');
    makeFolder(this.#etc, 0o755);
    for (const [name, content] of Object.entries(ETC_FILES)) {
      writeForAll(join(this.#etc, name), content);
    }
    symlinkSync('/usr/share/zoneinfo/UTC', join(this.#etc, 'localtime'));
    if (calls === undefined) {
      this.arguments = rootArguments(this.#etc);
      this.closingArguments = ['--remount-ro', '/'];
    } else {
      prepareRoot(calls, root);
      this.arguments = ['--ro-bind', root, '/'];
      this.closingArguments = [];
    }
  }

  /** Copies what has changed on the host, such as the name servers of another network. */
  async refresh(): Promise<void> {
    await Promise.all(
      COPIED_ETC.map(async (name) => {
        const version = await versionOf(join('/etc', name));
        if (version === undefined || this.#versions.get(name) === version) return;
        this.#versions.set(name, version);
        const content = await readFile(join('/etc', name));
        writeForAll(
          join(this.#etc, name),
          name === RESOLVER_FILE ? this.#resolver.resolverFile(content.toString()) : content,
        );
      }),
    );
  }
}

/** Readable for every user, whatever the server's umask is. */
function writeForAll(path: string, content: string | Buffer): void {
  writeFileSync(path, content);
  chmodSync(path, 0o644);
}

async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino, mtimeMs, size } = await stat(path);
    return [dev, ino, mtimeMs, size].join(':');
  } catch {
    return undefined;
  }
}
