import { join } from 'node:path';
import type { TemporaryFolder, TemporaryFolders } from '../temporary-folders.ts';
import { type DiskCalls, DiskFolder } from './disk-folder.ts';
import { createDiskTemplate, type DiskTemplate } from './disk-template.ts';
import type { StoragePrograms } from './storage-programs.ts';

/** What nearly all functions have. */
export const DEFAULT_STORAGE_MB = 512;
/** Each is a device, a mount and some 70 KB of kernel memory. */
const DEFAULT_RESERVE = 8;
/** Making one is work for threads that others wait for, too. */
const MAX_MAKERS = 2;
/** A template of 10 GB has less than a megabyte. */
const MAX_TEMPLATES = 16;

/**
 * Temporary folders on the disk of the data folder, each a file system of its own. Those of the
 * default size are made ahead, and none is ever given out twice.
 *
 * Only the kernel ever writes to their files, so what it reads there as a file system is its own.
 */
export class DiskFolders implements TemporaryFolders {
  readonly chargedAsMemory = false;
  readonly #calls: DiskCalls;
  readonly #programs: StoragePrograms;
  readonly #directory: string;
  readonly #reserve: number;
  readonly #templates = new Map<number, Promise<DiskTemplate>>();
  readonly #ready: DiskFolder[] = [];
  readonly #waiting: PromiseWithResolvers<DiskFolder>[] = [];
  readonly #makers = new Set<Promise<void>>();
  #files = 0;
  #disposed = false;

  /**
   * @param directory an existing one on a disk, of this server alone
   * @param reserve how many are kept ready
   */
  constructor(
    calls: DiskCalls,
    programs: StoragePrograms,
    directory: string,
    reserve = DEFAULT_RESERVE,
  ) {
    this.#calls = calls;
    this.#programs = programs;
    this.#directory = directory;
    this.#reserve = reserve;
  }

  /** Makes the first folder; rejects where none can be made here. Those that are kept ready follow. */
  async prepare(): Promise<void> {
    this.#ready.push(await this.#make(DEFAULT_STORAGE_MB));
    this.#fill();
  }

  async mount(target: string, sizeMb: number): Promise<TemporaryFolder> {
    const folder = await this.#acquire(sizeMb);
    try {
      folder.attach(target);
      return folder;
    } catch (error) {
      await folder.release();
      throw error;
    }
  }

  /** How many are ready. */
  get readyCount(): number {
    return this.#ready.length;
  }

  /** Settles once nothing is being made. */
  async settled(): Promise<void> {
    while (this.#makers.size > 0) await Promise.all(this.#makers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await this.settled();
    await Promise.all(this.#ready.splice(0).map((folder) => folder.release()));
  }

  async #acquire(sizeMb: number): Promise<DiskFolder> {
    if (this.#disposed) throw new Error('Cannot make a temporary folder as the server stops');
    if (sizeMb !== DEFAULT_STORAGE_MB) return this.#make(sizeMb);
    const acquired = this.#ready.shift() ?? this.#wait();
    this.#fill();
    return acquired;
  }

  #wait(): Promise<DiskFolder> {
    const waiting = Promise.withResolvers<DiskFolder>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  /** Starts makers as far as they are needed. */
  #fill(): void {
    const needed = (): boolean =>
      this.#waiting.length > 0 || (!this.#disposed && this.#ready.length < this.#reserve);
    while (this.#makers.size < MAX_MAKERS && needed()) {
      if (this.#waiting.length === 0 && this.#makers.size > 0) return;
      const maker = this.#makeNext().then((goesOn) => {
        this.#makers.delete(maker);
        if (goesOn) this.#fill();
      });
      this.#makers.add(maker);
    }
  }

  /** Resolves to whether it is of use to go on: not after a failure that nobody waited for. */
  async #makeNext(): Promise<boolean> {
    try {
      const folder = await this.#make(DEFAULT_STORAGE_MB);
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#ready.push(folder);
      else waiting.resolve(folder);
      return true;
    } catch (error) {
      const waiting = this.#waiting.shift();
      waiting?.reject(error);
      return waiting !== undefined && this.#waiting.length > 0;
    }
  }

  async #make(sizeMb: number): Promise<DiskFolder> {
    const template = await this.#template(sizeMb);
    this.#files += 1;
    return DiskFolder.create(this.#calls, template, join(this.#directory, `tmp-${this.#files}`));
  }

  #template(sizeMb: number): Promise<DiskTemplate> {
    const known = this.#templates.get(sizeMb);
    if (known !== undefined) return known;
    const made = createDiskTemplate(this.#calls.image, this.#programs, this.#directory, sizeMb);
    this.#templates.set(sizeMb, made);
    made.catch(() => this.#templates.delete(sizeMb));
    const oldest = [...this.#templates.keys()].find((size) => size !== DEFAULT_STORAGE_MB);
    if (this.#templates.size > MAX_TEMPLATES && oldest !== undefined) {
      this.#templates.delete(oldest);
    }
    return made;
  }
}
