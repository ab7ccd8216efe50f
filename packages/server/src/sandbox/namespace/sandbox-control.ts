import { ProgramPeaks } from '../program-peaks.ts';
import type { ControlGroup } from './control-group.ts';

/** A guest as far as it can be stopped by signals. */
export interface StoppableGuest {
  setStopped(stopped: boolean): void;
}

/** What holds for all guests of one sandbox together: CPU, freezing, memory. */
export class SandboxControl {
  /** Used where the group does not count memory. */
  readonly peaks = new ProgramPeaks();
  readonly #group: ControlGroup | undefined;
  readonly #guests = new Set<StoppableGuest>();
  #cpuLimited = false;
  #frozen = false;
  #ending = 0;
  #outOfMemoryKillsTold = 0;

  constructor(group: ControlGroup | undefined) {
    this.#group = group;
  }

  add(guest: StoppableGuest): void {
    this.#guests.add(guest);
  }

  remove(guest: StoppableGuest): void {
    this.#guests.delete(guest);
  }

  limitCpu(limited: boolean): void {
    this.#cpuLimited = limited;
    this.#apply();
  }

  freeze(frozen: boolean): void {
    if (this.#group?.freezes !== true && this.#frozen !== frozen) {
      for (const guest of this.#guests) guest.setStopped(frozen);
    }
    this.#frozen = frozen;
    this.#apply();
    // Programs that went before the pause say nothing about the end of one after it.
    if (frozen) this.#outOfMemoryKillsTold = this.outOfMemoryKills();
  }

  /**
   * Until the result is disposed, processes that have been killed may die: nothing is frozen, in
   * which they could not, and thousands of them do not have to share a sliver of CPU.
   */
  lettingDie(): Disposable {
    this.#ending += 1;
    this.#apply();
    return {
      [Symbol.dispose]: () => {
        this.#ending -= 1;
        this.#apply();
      },
    };
  }

  memoryPeakBytes(): number | undefined {
    return this.#group?.memoryPeakBytes() ?? this.peaks.read();
  }

  outOfMemoryKills(): number {
    return this.#group?.outOfMemoryKills() ?? 0;
  }

  /**
   * True where a guest that SIGKILL has ended was ended for want of memory: since it started, the
   * kernel has done so once more than other guests can tell of.
   *
   * @param before `outOfMemoryKills` when the guest started
   */
  takeOutOfMemoryKill(before: number): boolean {
    const told = Math.max(before, this.#outOfMemoryKillsTold);
    if (this.outOfMemoryKills() <= told) return false;
    this.#outOfMemoryKillsTold = told + 1;
    return true;
  }

  #apply(): void {
    const living = this.#ending === 0;
    this.#group?.limitCpu(this.#cpuLimited && living);
    this.#group?.freeze(this.#frozen && living);
  }
}
