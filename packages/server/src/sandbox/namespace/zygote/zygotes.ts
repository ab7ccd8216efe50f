import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock, Timer } from '../../../clock/clock.ts';
import type { ProcessTag } from '../../process-tag.ts';
import type { GuestCommand, SandboxDirectories } from '../../sandbox.ts';
import { GUEST_PATHS } from '../guest-paths.ts';
import type { ProcessCalls } from '../spawned-process.ts';
import type { SystemImage } from '../system-image.ts';
import { changeableByOthers } from './trusted-path.ts';
import { Zygote } from './zygote.ts';
import { zygoteOptions } from './zygote-options.ts';

export interface ZygotesOptions extends ProcessCalls {
  readonly bwrap: string;
  readonly image: Pick<SystemImage, 'arguments'>;
  readonly newTag: () => ProcessTag | undefined;
  readonly clock: Clock;
  readonly onFault: (what: string, cause: unknown) => void;
}

/**
 * The forks of one zygote share the secret of Python's hashes and the layout of their memory: what
 * one function finds out about itself helps against so many others, and no more.
 */
export const MAX_FORKS = 100;
const MAX_AGE_MS = 600_000;
/** After one failed, guests are executed for so long. */
const RETRY_MS = 10_000;

interface Kind {
  readonly command: GuestCommand;
  readonly directories: SandboxDirectories;
  current: Promise<Zygote> | undefined;
  startedMs: number;
  takenMs: number;
  /** How many forks the current one was taken for. */
  forks: number;
  retryAtMs: number;
  idleTimer: Timer | undefined;
}

/** One zygote for each kind of guest that can be forked; made on first use, and renewed. */
export class Zygotes implements AsyncDisposable {
  readonly #options: ZygotesOptions;
  readonly #kinds = new Map<string, Kind>();
  /** All that live, the retired ones too. */
  readonly #living = new Set<Zygote>();
  readonly #closing = new AbortController();

  constructor(options: ZygotesOptions) {
    this.#options = options;
  }

  /** Undefined where guests of this kind have to be executed. */
  async take(command: GuestCommand, directories: SandboxDirectories): Promise<Zygote | undefined> {
    if (this.#closing.signal.aborted) return undefined;
    const kind = this.#kind(command, directories);
    const nowMs = this.#options.clock.monotonicMs();
    kind.takenMs = nowMs;
    if (nowMs < kind.retryAtMs) return undefined;
    try {
      const current = (kind.current ??= this.#start(kind));
      let zygote = await current;
      if (!zygote.isUsable) {
        if (kind.current === current) kind.current = undefined;
        if (!zygote.hasForked) {
          kind.retryAtMs = nowMs + RETRY_MS;
          return undefined;
        }
        zygote = await (kind.current ??= this.#start(kind));
      }
      kind.forks += 1;
      if (this.#isUsedUp(kind)) this.#renew(kind, zygote);
      return zygote;
    } catch {
      return undefined; // told already
    }
  }

  /** Those that serve, and those that are retired and whose forks still live. */
  get living(): readonly Zygote[] {
    return [...this.#living];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    for (const kind of this.#kinds.values()) {
      kind.idleTimer?.cancel();
      await kind.current?.catch(() => {});
    }
    await Promise.all(
      this.living.map((zygote) => {
        zygote.close();
        return zygote.ended;
      }),
    );
  }

  #kind(command: GuestCommand, directories: SandboxDirectories): Kind {
    const key = JSON.stringify([command.argv, command.environment, directories]);
    let kind = this.#kinds.get(key);
    if (kind === undefined) {
      kind = {
        command,
        directories,
        current: undefined,
        startedMs: 0,
        takenMs: 0,
        forks: 0,
        retryAtMs: -Infinity,
        idleTimer: undefined,
      };
      this.#kinds.set(key, kind);
    }
    return kind;
  }

  #isUsedUp(kind: Kind): boolean {
    const ageMs = this.#options.clock.monotonicMs() - kind.startedMs;
    return kind.forks >= MAX_FORKS || ageMs >= MAX_AGE_MS;
  }

  /** The next one serves from now on; the guests of this one live on. */
  #renew(kind: Kind, zygote: Zygote): void {
    kind.current = this.#start(kind);
    void kind.current.catch(() => {}).then(() => zygote.retire());
  }

  async #start(kind: Kind): Promise<Zygote> {
    const { calls, spawns, descriptors, bwrap, image, newTag, clock } = this.#options;
    try {
      await checkTrusted(kind);
      const launch = {
        calls,
        spawns,
        descriptors,
        bwrap,
        options: zygoteOptions(image, kind.directories, kind.command),
        argv: kind.command.argv,
        tag: newTag(),
      };
      const zygote = await Zygote.start(launch, this.#closing.signal);
      kind.startedMs = clock.monotonicMs();
      kind.forks = 0;
      this.#living.add(zygote);
      void zygote.ended.then((printed) => this.#ended(zygote, printed));
      this.#watchIdle(kind);
      return zygote;
    } catch (error) {
      this.#failed(kind, error);
      throw error;
    }
  }

  #failed(kind: Kind, error: unknown): void {
    kind.current = undefined;
    if (this.#closing.signal.aborted) return;
    kind.retryAtMs = this.#options.clock.monotonicMs() + RETRY_MS;
    this.#options.onFault('Cannot fork workers, which are started one by one instead', error);
  }

  #ended(zygote: Zygote, printed: string): void {
    this.#living.delete(zygote);
    // A retired one has a successor already.
    if (zygote.isRetired || this.#closing.signal.aborted) return;
    this.#options.onFault('The process that workers are forked from has ended', printed.trim());
  }

  /** One that nobody has taken for as long as it may live is given up. */
  #watchIdle(kind: Kind): void {
    kind.idleTimer?.cancel();
    kind.idleTimer = this.#options.clock.startTimer(MAX_AGE_MS, () => {
      const idleMs = this.#options.clock.monotonicMs() - kind.takenMs;
      if (idleMs < MAX_AGE_MS) {
        this.#watchIdle(kind);
        return;
      }
      const current = kind.current;
      kind.current = undefined;
      void current?.then((zygote) => zygote.retire()).catch(() => {});
    });
  }
}

/** It runs as root: nobody else may be able to put code into it. */
async function checkTrusted({ command, directories }: Kind): Promise<void> {
  const [program] = command.argv;
  const inside = `${GUEST_PATHS.language}/`;
  const { language = '', runtime } = directories;
  const onHost = program.startsWith(inside)
    ? join(language, program.slice(inside.length))
    : program;
  const library = join(dirname(dirname(onHost)), 'lib');
  for (const path of [onHost, library, runtime]) {
    const changeable = path && (await changeableByOthers(await realpath(path)));
    if (changeable) throw new Error(`only root may be able to change ${changeable}`);
  }
}
