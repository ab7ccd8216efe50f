import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../../system-calls/error-code.ts';
import { MOUNT_ROOT } from '../mount-folder.ts';

const CLAIMS_FOLDER = join(MOUNT_ROOT, 'forwarding');
const SETTINGS_FOLDER = '/proc/sys/net/ipv4/conf';
const TRIES = 100;

/** Folders that `ForwardingClaims` works on; tests have others. */
export interface ForwardingFolders {
  /** One folder for each link that Hearth turned on, with one file for each instance that needs it. */
  readonly claims: string;
  /** `<link>/forwarding` is 1 where packets that come in by the link may be passed on. */
  readonly settings: string;
}

const FOLDERS: ForwardingFolders = { claims: CLAIMS_FOLDER, settings: SETTINGS_FOLDER };

/** True where packets that come in by a link are passed on, and not because of Hearth. */
export function forwardsByItself(
  link: string,
  { claims, settings }: ForwardingFolders = FOLDERS,
): boolean {
  // Where nobody has claimed it and it is on, the host wants it so.
  if (exists(join(claims, link))) return false;
  return readFileSync(join(settings, link, 'forwarding'), 'latin1').trim() !== '0';
}

/** Lets packets that come in by a link be passed on, as answers to environments have to be. */
export function claimForwarding(
  instanceId: string,
  link: string,
  { claims, settings }: ForwardingFolders = FOLDERS,
): void {
  const folder = join(claims, link);
  for (let tries = 0; tries < TRIES; tries += 1) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o755 });
      writeFileSync(join(folder, instanceId), '');
      writeFileSync(join(settings, link, 'forwarding'), '1', { flag: 'r+' });
      return;
    } catch (error) {
      // The last one that had claimed it was removing the folder.
      if (errorCode(error) !== 'ENOENT' || exists(folder)) throw error;
    }
  }
  throw new Error(`Cannot claim forwarding for ${link}`);
}

/** Gives up all claims of an instance. What no instance needs any more is turned off again. */
export function releaseForwarding(
  instanceId: string,
  { claims, settings }: ForwardingFolders = FOLDERS,
): void {
  for (const link of entries(claims)) {
    const folder = join(claims, link);
    if (!entries(folder).includes(instanceId)) continue;
    unlinkSync(join(folder, instanceId));
    if (entries(folder).length > 0) continue;
    // Off before the folder goes: who finds no folder must be able to trust the setting.
    const setting = join(settings, link, 'forwarding');
    write(setting, '0');
    try {
      rmdirSync(folder);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') continue;
      if (errorCode(error) !== 'ENOTEMPTY') throw error;
      // Another instance has claimed it just now.
      write(setting, '1');
    }
  }
}

/** A link that is gone needs no setting. */
function write(setting: string, value: string): void {
  try {
    writeFileSync(setting, value, { flag: 'r+' });
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

function exists(folder: string): boolean {
  try {
    readdirSync(folder);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
