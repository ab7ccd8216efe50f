import { basename } from 'node:path';
import { removeTree } from '../files/remove-tree.ts';
import { type LinuxSystemCalls, loadLinuxSystemCalls } from '../system-calls/linux-system-calls.ts';
import {
  createInstanceId,
  deadInstances,
  instanceFolder,
  type InstanceRecord,
  removeUnrecordedFolders,
  writeInstanceRecord,
} from './instance-record.ts';
import { killInstanceGroup, removeInstanceGroup } from './namespace/control-group-files.ts';
import { removeMountFolder } from './namespace/mount-folder.ts';
import { releaseUidBlocks } from './namespace/uid-range.ts';
import {
  canTagProcesses,
  createInstanceTag,
  killTagged,
  parseInstanceTag,
  type ProcessTag,
  guestTag,
} from './process-tag.ts';

/** What an instance makes outside its own folder; written down before it is made. */
export interface InstanceProperty {
  readonly mounts: boolean;
  readonly controlGroups: readonly string[];
}

export interface InstanceOptions {
  /** Asked with the new instance's id. */
  readonly property?: (instanceId: string) => InstanceProperty;
  /** Takes away what a dead instance with mounts has left on the host's network. */
  readonly removeNetwork?: (instanceId: string) => Promise<void>;
}

/** This server process as the owner of sandboxes: what it makes can be told from any other's. */
export class ServerInstance implements AsyncDisposable {
  readonly id: string;
  /** `<dataDir>/run/<id>`; removed on dispose. */
  readonly folder: string;
  readonly #dataDir: string;
  readonly #calls: LinuxSystemCalls | undefined;
  readonly #tag: ProcessTag | undefined;
  readonly #removeNetwork: ((instanceId: string) => Promise<void>) | undefined;
  #guests = 0;

  private constructor(
    id: string,
    dataDir: string,
    calls: LinuxSystemCalls | undefined,
    tag: ProcessTag | undefined,
    removeNetwork: ((instanceId: string) => Promise<void>) | undefined,
  ) {
    this.id = id;
    this.folder = instanceFolder(dataDir, id);
    this.#dataDir = dataDir;
    this.#calls = calls;
    this.#tag = tag;
    this.#removeNetwork = removeNetwork;
  }

  /** Makes the instance's folder and record. */
  static async open(dataDir: string, options: InstanceOptions = {}): Promise<ServerInstance> {
    const id = createInstanceId();
    const calls = await loadLinuxSystemCalls().catch(() => undefined);
    const tag = calls !== undefined && canTagProcesses(calls) ? createInstanceTag() : undefined;
    const instance = new ServerInstance(id, dataDir, calls, tag, options.removeNetwork);
    await writeInstanceRecord(dataDir, {
      instanceId: id,
      tag: tag?.value.toString(),
      ...(options.property?.(id) ?? { mounts: false, controlGroups: [] }),
    });
    return instance;
  }

  /** Marks the processes of one more guest; undefined where processes cannot be marked. */
  tagPlan(): { readonly calls: LinuxSystemCalls; readonly tag: ProcessTag } | undefined {
    if (this.#calls === undefined || this.#tag === undefined) return undefined;
    this.#guests += 1;
    return { calls: this.#calls, tag: guestTag(this.#tag, this.#guests) };
  }

  /** Ends and removes everything of servers on this data folder that no longer live. */
  async sweepDead(): Promise<void> {
    for (const record of await deadInstances(this.#dataDir)) await this.#remove(record);
    await removeUnrecordedFolders(this.#dataDir);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeTree(this.folder);
  }

  /** The record goes last: what fails is tried again by the next sweep. */
  async #remove(record: InstanceRecord): Promise<void> {
    const { instanceId } = record;
    // A record that names anything else has not been written by a server.
    const groups = record.controlGroups.filter((path) => basename(path) === `hearth-${instanceId}`);
    for (const group of groups) await killInstanceGroup(group);
    if (this.#calls !== undefined && record.tag !== undefined) {
      await killTagged(this.#calls, parseInstanceTag(record.tag));
    }
    for (const group of groups) await removeInstanceGroup(group);
    if (record.mounts && this.#calls !== undefined) {
      await removeMountFolder(this.#calls, instanceId);
      releaseUidBlocks(instanceId);
      await this.#removeNetwork?.(instanceId);
    }
    await removeTree(instanceFolder(this.#dataDir, instanceId));
  }
}
