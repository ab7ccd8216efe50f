import {
  chmodSync,
  lstatSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { InstanceNetwork } from './network/instance-network.ts';
import { makeFolder } from './mount-folder.ts';
import { procMasks } from './proc-masks.ts';

/** The user of a function, as AWS names it. */
export const GUEST_UID = 993;
export const GUEST_GID = 990;
export const GUEST_HOSTNAME = 'hearth';

/** Folders that are links to, or twins of, those in /usr, as the distribution has it. */
const ROOT_FOLDERS = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];
/** Read-only parts of the host's /etc: certificates, and what links of programs lead through. */
const SHARED_ETC = /^(ssl|pki|ca-certificates|alternatives|java[\w.-]*)$/;

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
  /** Arguments of bubblewrap. */
  readonly arguments: readonly string[];
  /** Those for after `--proc`. */
  readonly procArguments: readonly string[];
  readonly #etc: string;
  readonly #resolver: Pick<InstanceNetwork, 'resolverFile'>;
  readonly #versions = new Map<string, string>();

  /**
   * @param folder where the files of /etc are made; reachable for every user
   * @param resolver makes the resolv.conf of sandboxes from the host's
   */
  constructor(folder: string, resolver: Pick<InstanceNetwork, 'resolverFile'>) {
    this.#resolver = resolver;
    const empty = join(folder, 'empty');
    writeForAll(empty, '');
    this.procArguments = procMasks(empty);
    this.#etc = join(folder, 'etc');
    makeFolder(this.#etc, 0o755);
    for (const [name, content] of Object.entries(ETC_FILES)) {
      writeForAll(join(this.#etc, name), content);
    }
    symlinkSync('/usr/share/zoneinfo/UTC', join(this.#etc, 'localtime'));
    for (const name of sharedEtc()) makeFolder(join(this.#etc, name), 0o755);
    this.arguments = imageArguments(this.#etc);
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

function imageArguments(etc: string): string[] {
  return [
    ['--ro-bind', '/usr', '/usr'],
    ...ROOT_FOLDERS.map(rootFolder),
    // On NixOS everything in /usr and /bin leads there.
    ['--ro-bind-try', '/nix/store', '/nix/store'],
    ['--ro-bind', etc, '/etc'],
    ...sharedEtc().map((name) => ['--ro-bind', `/etc/${name}`, `/etc/${name}`]),
  ].flat();
}

/** Readable for every user, whatever the server's umask is. */
function writeForAll(path: string, content: string | Buffer): void {
  writeFileSync(path, content);
  chmodSync(path, 0o644);
}

function rootFolder(name: string): string[] {
  const path = `/${name}`;
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return [];
  return stats.isSymbolicLink()
    ? ['--symlink', readlinkSync(path), path]
    : ['--ro-bind', path, path];
}

/** Names in /etc of the folders that are shown as they are. */
function sharedEtc(): string[] {
  return readdirSync('/etc', { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && SHARED_ETC.test(entry.name))
    .map(({ name }) => name);
}

async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino, mtimeMs, size } = await stat(path);
    return [dev, ino, mtimeMs, size].join(':');
  } catch {
    return undefined;
  }
}
