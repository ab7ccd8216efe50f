import { randomBytes } from 'node:crypto';
import type { FunctionVersion } from '../../domain/function.ts';
import type { Invocation, Outcome } from '../../domain/invocation.ts';
import { INIT_TIMEOUT_MS } from '../../domain/limits.ts';
import { ServiceError } from '../../domain/service-error.ts';
import type { FailureStatus } from '../../logs/platform-lines.ts';
import { CodeFolderError } from '../../sandbox/sandbox.ts';
import type { ColdStart } from './environment-events.ts';
import { EnvironmentHost } from './environment-host.ts';
import { EnvironmentMoves } from './environment-moves.ts';
import { EnvironmentReport } from './environment-report.ts';
import type { EnvironmentServices } from './environment-services.ts';
import { type EndReason, type EnvironmentState, type ResetReason } from './environment-state.ts';
import type { EnvironmentOwner, PooledEnvironment } from './pooled-environment.ts';
import type { GuestLife, LifeEnd } from './guest-life.ts';
import type { Freezable } from './idle-freezer.ts';
import { failureOf, outcomeOf, resetReasonOf, verdictOf } from './outcome.ts';
import type { StartSlot } from '../workers/start-gate.ts';

/**
 * One execution environment: a sandbox, the processes in it and the log stream that it writes. It
 * takes one event at a time and is frozen in between. A process that exits, crashes or times out is
 * replaced: the environment keeps its identity, its `/tmp` and its log stream, and loses its memory.
 */
export class Environment implements PooledEnvironment, Freezable {
  readonly id = randomBytes(16).toString('hex');
  readonly version: FunctionVersion;
  readonly createdMs: number;
  idleSinceMs = 0;
  uses = 0;
  readonly #services: EnvironmentServices;
  readonly #owner: EnvironmentOwner<Environment>;
  readonly #report: EnvironmentReport;
  readonly #moves: EnvironmentMoves;
  readonly #ending = new AbortController();
  #host: EnvironmentHost | undefined;
  /** The first start, or a reset while idle: the next event waits for it. */
  #busy: Promise<void> | undefined;
  #ended: Promise<void> | undefined;
  #coldStart: ColdStart | undefined;

  constructor(
    version: FunctionVersion,
    services: EnvironmentServices,
    owner: EnvironmentOwner<Environment>,
    askedMs?: number,
  ) {
    this.version = version;
    this.createdMs = services.clock.monotonicMs();
    this.#services = services;
    this.#owner = owner;
    this.#report = EnvironmentReport.open(version, services.logStore, services.clock);
    const { logStreamName } = this.#report;
    this.#moves = new EnvironmentMoves(
      { environmentId: this.id, version, logStreamName },
      services,
    );
    this.#occupy(this.#create(askedMs ?? this.createdMs));
  }

  /** Where it is in its life. */
  get state(): EnvironmentState {
    return this.#moves.state;
  }

  get logStreamName(): string {
    return this.#report.logStreamName;
  }

  /** How long its cold start took; undefined until its init has succeeded once. */
  get coldStart(): ColdStart | undefined {
    return this.#coldStart;
  }

  /**
   * Runs one event. The environment must be free; a start or reset under way is waited for. Rejects
   * with a ServiceError where the platform, not the function, is at fault.
   */
  async invoke(invocation: Invocation): Promise<Outcome> {
    this.uses += 1;
    do {
      while (this.#busy !== undefined) await this.#busy;
      this.#replaceLost();
    } while (this.#busy !== undefined);
    const host = this.#aliveHost();
    if (this.state.kind === 'frozen') this.#thaw(host);
    const { clock } = this.#services;
    const { requestId, wantsLogTail = false } = invocation;
    const timeoutMs = this.version.timeoutSeconds * 1_000;
    const startedMs = clock.monotonicMs();
    const deadlineMs = Math.floor(clock.nowMs()) + timeoutMs;
    const remainingMs = (): number => Math.max(0, timeoutMs - (clock.monotonicMs() - startedMs));
    this.#moves.apply({ kind: 'invoke-started', requestId });
    this.#report.beginRequest(invocation, wantsLogTail);

    const failedInit = host.life === undefined ? await this.#initAgain(host, timeoutMs) : undefined;
    this.#report.eventStarted();
    const end =
      failedInit ??
      (await this.#call(host.currentLife, { ...invocation, deadlineMs }, remainingMs()));
    this.#report.runtimeDone(end, host.life?.answerBegunMs);
    const verdict = verdictOf(end, requestId, this.version.timeoutSeconds);

    const failure = failedInit === undefined ? verdict.failure : failureOf(failedInit);
    // What timed out has taken its time, and is told as no more, however late its timer was.
    const durationMs = (at: LifeEnd): number =>
      at.kind === 'timeout' ? timeoutMs : Math.min(timeoutMs, clock.monotonicMs() - startedMs);
    let settled: Promise<Buffer | undefined>;
    if (failure !== undefined) {
      settled = this.#settleLost(host, failure, resetReasonOf(end), durationMs(end));
    } else if (host.currentLife.finishesLater) {
      settled = this.#settleLater(host, remainingMs(), durationMs);
    } else {
      settled = this.#settle(host, durationMs(end));
    }
    const logTail = wantsLogTail ? await settled : undefined;
    return outcomeOf(verdict, this.version.version, logTail);
  }

  /** Called when it has been idle for the grace time. */
  freeze(): void {
    if (this.state.kind !== 'ready' || this.#host === undefined) return;
    if (this.#host.isDelivering) {
      this.#services.freezer.becameIdle(this);
      return;
    }
    this.#host.freeze();
    this.#moves.apply({ kind: 'frozen' });
  }

  /** Ends the environment with all it has, also in the middle of an event. Never rejects. */
  end(reason: EndReason): Promise<void> {
    this.#ended ??= this.#tearDown(reason);
    return this.#ended;
  }

  /** @param askedMs when the event that it is made for reached the server */
  async #create(askedMs: number): Promise<void> {
    const { clock } = this.#services;
    let allocatedMs = askedMs;
    let slot: StartSlot | undefined;
    try {
      const host = await EnvironmentHost.create(
        this.id,
        this.version,
        this.#services,
        this.#report,
        this.#ending.signal,
        (given) => {
          slot = given;
          allocatedMs = clock.monotonicMs();
        },
      );
      this.#host = host;
      this.#ending.signal.throwIfAborted();
      this.#moves.apply({ kind: 'sandbox-created' });
      const life = host.beginLife();
      const initStartedMs = clock.monotonicMs();
      let functionInitMs = initStartedMs;
      const ending = life.init(
        INIT_TIMEOUT_MS,
        (phase) => {
          if (phase === 'function') functionInitMs = clock.monotonicMs();
          this.#enterPhase(phase);
        },
        slot,
      );
      // A runtime that had booted is at work meanwhile; nothing that it prints is read before this.
      this.#report.initStarted(host.launch, 'init');
      const end = await ending;
      const readyMs = clock.monotonicMs();
      host.initEnded(end);
      // What was printed by then stands before START, or INIT_REPORT.
      await life.outputArrived();
      this.#ending.signal.throwIfAborted();
      this.#report.initEnded(end, readyMs - initStartedMs, 'init', life.extensions);
      if (end.kind === 'ready') {
        this.#coldStart = {
          path: host.startedFrom,
          allocationMs: allocatedMs - askedMs,
          setupMs: functionInitMs - allocatedMs,
          initMs: readyMs - functionInitMs,
        };
        this.#moves.apply({ kind: 'init-succeeded' }, this.#coldStart);
        this.#initialised(host, life);
      } else {
        await this.#reset('init-failure');
      }
    } catch (error) {
      throw await this.#giveUp(error);
    } finally {
      slot?.leave();
    }
  }

  async #call(
    life: GuestLife,
    event: Parameters<GuestLife['invoke']>[0],
    timeoutMs: number,
  ): Promise<LifeEnd> {
    try {
      return await life.invoke(event, timeoutMs);
    } catch (error) {
      throw await this.#giveUp(error);
    }
  }

  /** Init inside an event, under the function's timeout; undefined where it succeeded. */
  async #initAgain(host: EnvironmentHost, timeoutMs: number): Promise<LifeEnd | undefined> {
    const startedMs = this.#services.clock.monotonicMs();
    let end: LifeEnd;
    const life = host.beginLife();
    this.#report.initStarted(host.launch, 'invoke');
    try {
      end = await life.init(timeoutMs, (phase) => this.#enterPhase(phase), undefined);
    } catch (error) {
      throw await this.#giveUp(error);
    }
    const durationMs = this.#services.clock.monotonicMs() - startedMs;
    host.initEnded(end);
    await life.outputArrived();
    this.#report.initEnded(end, durationMs, 'invoke', life.extensions);
    if (end.kind !== 'ready') return end;
    if (this.state.kind === 'init') this.#moves.apply({ kind: 'init-succeeded' });
    this.#initialised(host, life);
    return undefined;
  }

  /** Writes END and REPORT when what the function printed has been read, and frees the environment. */
  async #settle(host: EnvironmentHost, durationMs: number): Promise<Buffer | undefined> {
    if (this.state.kind === 'invoking') this.#moves.apply({ kind: 'answered' });
    host.eventAnswered();
    await host.life?.outputArrived();
    const logTail = this.#report.endRequest(durationMs, host.memoryPeakMb, undefined);
    if (this.state.kind === 'finishing') {
      this.#moves.apply({ kind: 'settled' });
      this.#becomeFree();
    }
    return logTail;
  }

  /** The same where the runtime or extensions go on after the answer, within the event's time. */
  async #settleLater(
    host: EnvironmentHost,
    timeoutMs: number,
    durationMs: (end: LifeEnd) => number,
  ): Promise<Buffer | undefined> {
    if (this.state.kind === 'invoking') this.#moves.apply({ kind: 'answered' });
    this.#owner.onAnswered(this);
    let end: LifeEnd;
    try {
      end = await host.currentLife.finish(timeoutMs);
    } catch (error) {
      await this.#giveUp(error);
      return undefined;
    }
    if (end.kind === 'ready') return this.#settle(host, durationMs(end));
    return this.#settleLost(host, failureOf(end), resetReasonOf(end), durationMs(end));
  }

  /**
   * The same after a process was lost: all are ended first, with all that they started. The
   * environment is free at once: its next event waits for the reset, rather than start another one.
   */
  #settleLost(
    host: EnvironmentHost,
    failure: FailureStatus,
    reason: ResetReason,
    durationMs: number,
  ): Promise<Buffer | undefined> {
    const reset = LOSES_PROCESS.has(this.state.kind);
    if (reset) this.#moves.apply({ kind: 'process-lost', reason });
    const settled = this.#endLife(host, reason).then(() => {
      const logTail = this.#report.endRequest(durationMs, host.memoryPeakMb, failure);
      if (this.state.kind === 'resetting') this.#moves.apply({ kind: 'process-cleared' });
      return logTail;
    });
    if (reset) {
      this.#occupy(settled);
      this.#owner.onFree(this);
    }
    return settled;
  }

  #becomeFree(): void {
    this.#owner.onFree(this);
    this.#replaceLost();
    if (this.state.kind === 'ready') this.#services.freezer.becameIdle(this);
  }

  #initialised(host: EnvironmentHost, life: GuestLife): void {
    host.limitCpu();
    void life.lost.then(() => this.#replaceLost());
  }

  /** A process may also go between two events: the next one then starts with init. */
  #replaceLost(): void {
    const lostBy = this.#host?.life?.lostBy;
    if (lostBy === undefined || !IDLE.has(this.state.kind)) return;
    if (this.state.kind === 'frozen') this.#host?.thaw();
    this.#occupy(this.#reset(resetReasonOf(lostBy)));
  }

  async #reset(reason: ResetReason): Promise<void> {
    this.#moves.apply({ kind: 'process-lost', reason });
    if (this.#host !== undefined) await this.#endLife(this.#host, reason);
    if (this.state.kind === 'resetting') this.#moves.apply({ kind: 'process-cleared' });
  }

  async #endLife(host: EnvironmentHost, reason: ResetReason): Promise<void> {
    try {
      await host.endLife(reason === 'timeout' ? 'timeout' : 'failure');
    } catch (error) {
      throw await this.#giveUp(error);
    }
  }

  #thaw(host: EnvironmentHost): void {
    host.thaw();
    this.#moves.apply({ kind: 'thawed' });
  }

  #enterPhase(phase: 'extension' | 'runtime' | 'function'): void {
    if (this.state.kind === 'init') this.#moves.apply({ kind: 'init-phase-entered', phase });
  }

  #occupy(work: Promise<unknown>): void {
    const busy = work.then(() => {
      if (this.#busy === busy) this.#busy = undefined;
    });
    this.#busy = busy;
    // Whoever invokes next sees the failure; nobody else needs to.
    busy.catch(() => {});
  }

  /** The platform cannot run this environment: it ends, and the caller is told what AWS would say. */
  async #giveUp(cause: unknown): Promise<ServiceError> {
    if (!this.#ending.signal.aborted && !(cause instanceof ServiceError)) {
      this.#services.reportFault(
        `Cannot run an environment of ${this.version.functionName}`,
        cause,
      );
    }
    void this.end('fault');
    return toldToCaller(cause);
  }

  async #tearDown(reason: EndReason): Promise<void> {
    const isIdle = IDLE.has(this.state.kind);
    if (this.state.kind === 'frozen') this.#host?.thaw();
    this.#moves.apply({ kind: 'shutdown', reason });
    this.#ending.abort();
    await this.#host?.endLife(isIdle ? 'spindown' : undefined).catch(() => {});
    await this.#busy?.catch(() => {});
    try {
      await this.#host?.[Symbol.asyncDispose]();
    } catch (error) {
      this.#services.reportFault(`Cannot remove environment ${this.id}`, error);
    }
    this.#moves.apply({ kind: 'ended' });
    this.#owner.onEnded(this);
  }

  #aliveHost(): EnvironmentHost {
    if (this.#host === undefined || this.#ending.signal.aborted) {
      throw new ServiceError('ServiceException', 'The environment has ended.');
    }
    return this.#host;
  }
}

const IDLE: ReadonlySet<EnvironmentState['kind']> = new Set(['ready', 'frozen']);

const LOSES_PROCESS: ReadonlySet<EnvironmentState['kind']> = new Set([
  'init',
  'invoking',
  'finishing',
]);

/** What AWS would say where the platform cannot run an environment. */
function toldToCaller(cause: unknown): ServiceError {
  if (cause instanceof ServiceError) return cause;
  if (cause instanceof CodeFolderError) {
    return new ServiceError('InvalidParameterValueException', cause.message, { cause });
  }
  return new ServiceError('ServiceException', 'The environment could not be started.', { cause });
}
