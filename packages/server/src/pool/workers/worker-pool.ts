import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../clock/clock.ts';
import type { SandboxDriver } from '../../sandbox/sandbox.ts';
import type { StartGate } from './start-gate.ts';
import { startWorker, type Worker, type WorkerKind } from './worker.ts';
import { WorkerDemand } from './worker-demand.ts';

export interface WorkerPoolOptions {
  readonly driver: SandboxDriver;
  readonly clock: Clock;
  readonly startGate: StartGate;
  /** Serves this server's API on a connection from a sandbox. */
  readonly acceptFromFunction: (socket: Socket) => void;
  /** Workers kept for each kind in use; 0 turns the pool off. */
  readonly minimum: number;
  /** What all of them together may hold. */
  readonly memoryMb: number;
  readonly reportFault: (what: string, cause: unknown) => void;
}

/** Before the first worker of a kind was measured. */
const ASSUMED_WORKER_BYTES = 48 * 1_048_576;
/** Refilling waits until no start has been asked for this long: what was started comes first. */
const QUIET_MS = 20;
/** But not for ever: under a steady load the pool is refilled all the same, one by one. */
const MAX_QUIET_WAIT_MS = 500;
/** After a worker failed to start, so that a broken interpreter does not keep the machine busy. */
const RETRY_MS = 10_000;

interface Shelf {
  readonly kind: WorkerKind;
  readonly demand: WorkerDemand;
  readonly workers: Worker[];
  workerBytes: number;
  retryAtMs: number;
}

/**
 * Booted workers that wait for a function, by kind. How many there are follows the arrivals, within
 * the memory that they may hold. A worker that was taken never comes back.
 */
export class WorkerPool implements AsyncDisposable {
  readonly #options: WorkerPoolOptions;
  readonly #shelves = new Map<string, Shelf>();
  readonly #closing = new AbortController();
  #timer: Timer | undefined;
  #timerDueMs = 0;
  #quietSinceMs = 0;
  #askedSinceMs: number | undefined;
  #filling: Promise<void> | undefined;
  readonly #ending = new Set<Promise<void>>();

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** False where workers cannot be had: the pool is off, or the driver cannot assign running ones. */
  get isOn(): boolean {
    return this.#options.minimum > 0 && this.#options.driver.capabilities.assignsRunning;
  }

  /** A function of this kind may soon be called. */
  expect(kind: WorkerKind): void {
    if (!this.isOn || this.#closing.signal.aborted) return;
    this.#shelf(kind).demand.expect(this.#options.clock.monotonicMs());
    this.#refillSoon();
  }

  /** A booted worker, which is the caller's from then on; undefined where none is ready. */
  take(kind: WorkerKind): Worker | undefined {
    if (!this.isOn || this.#closing.signal.aborted) return undefined;
    const nowMs = this.#options.clock.monotonicMs();
    const shelf = this.#shelf(kind);
    shelf.demand.arrive(nowMs);
    this.#quietSinceMs = nowMs;
    this.#refillSoon();
    return shelf.workers.pop();
  }

  /** How many are ready, of one kind or of all. */
  ready(kind?: WorkerKind): number {
    let count = 0;
    for (const shelf of this.#shelves.values()) {
      if (kind === undefined || kind.key === shelf.kind.key) count += shelf.workers.length;
    }
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#timer?.cancel();
    await this.#filling;
    const workers = [...this.#shelves.values()].flatMap((shelf) => shelf.workers.splice(0));
    await Promise.all(workers.map((worker) => this.#end(worker)));
    await Promise.all(this.#ending);
  }

  #shelf(kind: WorkerKind): Shelf {
    const known = this.#shelves.get(kind.key);
    if (known !== undefined) return known;
    const shelf: Shelf = {
      kind,
      demand: new WorkerDemand(this.#options.minimum),
      workers: [],
      workerBytes: ASSUMED_WORKER_BYTES,
      retryAtMs: 0,
    };
    this.#shelves.set(kind.key, shelf);
    return shelf;
  }

  /** Somebody has been here: the stock is looked at when it is quiet. */
  #refillSoon(): void {
    this.#askedSinceMs ??= this.#options.clock.monotonicMs();
    this.#lookIn(QUIET_MS);
  }

  /** One timer for all: an earlier look replaces a later one. */
  #lookIn(delayMs: number): void {
    if (this.#closing.signal.aborted || this.#filling !== undefined) return;
    const { clock } = this.#options;
    const dueMs = clock.monotonicMs() + delayMs;
    if (this.#timer !== undefined && this.#timerDueMs <= dueMs) return;
    this.#timer?.cancel();
    this.#timerDueMs = dueMs;
    this.#timer = clock.startTimer(delayMs, () => {
      this.#timer = undefined;
      this.#refillWhenQuiet();
    });
  }

  #refillWhenQuiet(): void {
    const { clock, startGate } = this.#options;
    const nowMs = clock.monotonicMs();
    const isQuiet = nowMs - this.#quietSinceMs >= QUIET_MS && startGate.isIdle;
    const hasWaited = nowMs - (this.#askedSinceMs ?? nowMs) >= MAX_QUIET_WAIT_MS;
    if (!isQuiet && !hasWaited) {
      this.#lookIn(QUIET_MS);
      return;
    }
    this.#askedSinceMs = undefined;
    this.#filling = this.#fill(nowMs);
  }

  async #fill(nowMs: number): Promise<void> {
    const started = await this.#startOne(nowMs);
    this.#filling = undefined;
    const next = this.#nextLookMs(started);
    if (next !== undefined) this.#lookIn(next);
  }

  /** When to look again: at once while there is something to start, else when demand may have sunk. */
  #nextLookMs(started: boolean): number | undefined {
    if (started || this.#askedSinceMs !== undefined) return started ? 0 : QUIET_MS;
    const nowMs = this.#options.clock.monotonicMs();
    let next: number | undefined;
    for (const shelf of this.#shelves.values()) {
      const changeMs = shelf.retryAtMs > nowMs ? shelf.retryAtMs : shelf.demand.nextChangeMs(nowMs);
      next = Math.min(next ?? Infinity, Math.max(0, changeMs - nowMs));
    }
    return next;
  }

  /** Starts the worker that is missed most, or ends one that is too many. */
  async #startOne(nowMs: number): Promise<boolean> {
    this.#discardSurplus(nowMs);
    const shelf = this.#neediest(nowMs);
    if (shelf === undefined) return false;
    const { driver, clock, startGate, acceptFromFunction, reportFault } = this.#options;
    const slot = await startGate.enter();
    try {
      const worker = await startWorker(
        shelf.kind,
        driver,
        acceptFromFunction,
        clock,
        this.#closing.signal,
      );
      shelf.workerBytes = worker.sandbox.memoryPeakBytes() ?? shelf.workerBytes;
      shelf.workers.push(worker);
      void worker.guest.exited.then(() => this.#drop(shelf, worker));
      return true;
    } catch (error) {
      if (this.#closing.signal.aborted) return false;
      shelf.retryAtMs = clock.monotonicMs() + RETRY_MS;
      reportFault('Cannot start a worker ahead', error);
      return false;
    } finally {
      slot.leave();
    }
  }

  #neediest(nowMs: number): Shelf | undefined {
    const budgetBytes = this.#options.memoryMb * 1_048_576 - this.#heldBytes();
    let best: Shelf | undefined;
    let bestShare = 1;
    for (const shelf of this.#shelves.values()) {
      if (shelf.retryAtMs > nowMs || shelf.workerBytes > budgetBytes) continue;
      const share = shelf.workers.length / Math.max(1, shelf.demand.wanted(nowMs));
      if (shelf.workers.length < shelf.demand.wanted(nowMs) && share < bestShare) {
        best = shelf;
        bestShare = share;
      }
    }
    return best;
  }

  #discardSurplus(nowMs: number): void {
    for (const shelf of this.#shelves.values()) {
      const surplus = shelf.workers.length - shelf.demand.wanted(nowMs);
      if (surplus > 0)
        for (const worker of shelf.workers.splice(0, surplus)) void this.#end(worker);
      if (shelf.workers.length === 0 && shelf.demand.isOver(nowMs)) {
        this.#shelves.delete(shelf.kind.key);
      }
    }
  }

  #heldBytes(): number {
    let bytes = 0;
    for (const shelf of this.#shelves.values()) bytes += shelf.workers.length * shelf.workerBytes;
    return bytes;
  }

  /** A worker that ends by itself is not handed out. */
  #drop(shelf: Shelf, worker: Worker): void {
    const index = shelf.workers.indexOf(worker);
    if (index === -1) return;
    shelf.workers.splice(index, 1);
    void this.#end(worker);
    this.#refillSoon();
  }

  #end(worker: Worker): Promise<void> {
    const ended = worker.guest
      .stop()
      .then(() => worker.sandbox[Symbol.asyncDispose]())
      .catch((error: unknown) => this.#options.reportFault('Cannot end a worker', error))
      .finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
    return ended;
  }
}
