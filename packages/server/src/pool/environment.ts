import { randomBytes } from 'node:crypto';
import { setImmediate as nextLoopTurn } from 'node:timers/promises';
import type { FunctionVersion } from '../domain/function.ts';
import type { Invocation, Outcome } from '../domain/invocation.ts';
import { INIT_TIMEOUT_MS } from '../domain/limits.ts';
import { ServiceError } from '../domain/service-error.ts';
import { EnvironmentLog } from '../logs/environment-log.ts';
import type { FailureStatus } from '../logs/platform-lines.ts';
import { CodeFolderError } from '../sandbox/sandbox.ts';
import type { RuntimeEvent } from '../runtime-api/runtime-session.ts';
import {
  transition,
  type EndReason,
  type EnvironmentEvent,
  type EnvironmentState,
  type ResetReason,
} from './environment-state.ts';
import type { EnvironmentServices } from './environment-services.ts';
import type { EnvironmentOwner, PooledEnvironment } from './generation-pool.ts';
import { GuestHost } from './guest-host.ts';
import type { CallEnd, Guest } from './guest.ts';
import { initFailure, outcomeOf, verdictOf } from './outcome.ts';

/**
 * One execution environment: a sandbox, the process in it and the log stream that it writes. It
 * takes one event at a time. A process that exits, crashes or times out is replaced: the
 * environment keeps its identity, its `/tmp` and its log stream, and loses its memory.
 */
export class Environment implements PooledEnvironment {
  readonly id = randomBytes(16).toString('hex');
  readonly version: FunctionVersion;
  idleSinceMs = 0;
  readonly #services: EnvironmentServices;
  readonly #owner: EnvironmentOwner<Environment>;
  readonly #log: EnvironmentLog;
  readonly #ending = new AbortController();
  #state: EnvironmentState = { kind: 'creating' };
  #host: GuestHost | undefined;
  /** The first start, or a reset while idle: the next event waits for it. */
  #busy: Promise<void> | undefined;
  #ended: Promise<void> | undefined;
  /** Of an init phase that succeeded, until a REPORT has told it. */
  #initDurationMs: number | undefined;

  constructor(
    version: FunctionVersion,
    services: EnvironmentServices,
    owner: EnvironmentOwner<Environment>,
  ) {
    this.version = version;
    this.#services = services;
    this.#owner = owner;
    this.#log = EnvironmentLog.open(version, services.logStore, services.clock);
    this.#occupy(this.#create());
  }

  /**
   * Runs one event. The environment must be free; a start or reset under way is waited for. Rejects
   * with a ServiceError where the platform, not the function, is at fault.
   */
  async invoke(invocation: Invocation): Promise<Outcome> {
    while (this.#busy !== undefined) await this.#busy;
    const host = this.#aliveHost();
    const { clock } = this.#services;
    const { requestId } = invocation;
    const { timeoutSeconds } = this.version;
    const wantsLogTail = invocation.wantsLogTail === true;
    const startedMs = clock.monotonicMs();
    const timeoutMs = timeoutSeconds * 1_000;
    const deadlineMs = Math.floor(clock.nowMs()) + timeoutMs;
    this.#apply({ kind: 'invoke-started', requestId });
    this.#log.beginRequest(requestId, wantsLogTail);

    const failedInit =
      host.guest === undefined ? await this.#initAgain(host, timeoutMs) : undefined;
    this.#log.eventStarted(requestId, this.version.version);
    const remainingMs = timeoutMs - (clock.monotonicMs() - startedMs);
    const end = failedInit ?? (await this.#call(host, { ...invocation, deadlineMs }, remainingMs));

    const durationMs = end.kind === 'timeout' ? timeoutMs : clock.monotonicMs() - startedMs;
    const verdict = verdictOf(end, requestId, timeoutSeconds);
    const failure = failedInit === undefined ? verdict.failure : initFailure(failedInit);
    const settled =
      failure === undefined
        ? this.#settle(host, requestId, durationMs)
        : this.#settleLost(host, failure, requestId, durationMs);
    const logTail = wantsLogTail ? await settled : undefined;
    return outcomeOf(verdict, this.version.version, logTail);
  }

  /** Ends the environment with all it has, also in the middle of an event. Never rejects. */
  end(reason: EndReason): Promise<void> {
    this.#ended ??= this.#tearDown(reason);
    return this.#ended;
  }

  async #create(): Promise<void> {
    const { clock, startGate } = this.#services;
    try {
      let startedMs = 0;
      const { host, init } = await startGate.run(async () => {
        const made = await GuestHost.create(
          this.id,
          this.version,
          this.#services,
          this.#log,
          this.#ending.signal,
        );
        this.#host = made;
        this.#apply({ kind: 'sandbox-created' });
        const { runtimeVersion, runtimeVersionArn } = made.launch;
        this.#log.initStarted(runtimeVersion, runtimeVersionArn);
        startedMs = clock.monotonicMs();
        const pending = await made.startInit(INIT_TIMEOUT_MS);
        this.#ending.signal.throwIfAborted();
        await Promise.race([pending.booted, pending.ended]);
        return { host: made, init: pending };
      });
      const end = await init.ended;
      const durationMs = clock.monotonicMs() - startedMs;
      if (end.kind === 'ready') {
        this.#initDurationMs = durationMs;
        this.#apply({ kind: 'init-succeeded' });
        this.#initialised(host, host.liveGuest);
      } else {
        this.#log.initFailed(durationMs, 'init', initFailure(end));
        await this.#reset('init-failure');
      }
    } catch (error) {
      throw await this.#giveUp(error);
    }
  }

  async #call(host: GuestHost, event: RuntimeEvent, timeoutMs: number): Promise<CallEnd> {
    try {
      return await host.liveGuest.invoke(event, timeoutMs);
    } catch (error) {
      throw await this.#giveUp(error);
    }
  }

  /** Init inside an event, under the function's timeout; undefined where it succeeded. */
  async #initAgain(host: GuestHost, timeoutMs: number): Promise<CallEnd | undefined> {
    const startedMs = this.#services.clock.monotonicMs();
    let end: CallEnd;
    try {
      end = await (await host.startInit(timeoutMs)).ended;
    } catch (error) {
      throw await this.#giveUp(error);
    }
    if (end.kind === 'ready') {
      this.#initialised(host, host.liveGuest);
      return undefined;
    }
    const durationMs = this.#services.clock.monotonicMs() - startedMs;
    this.#log.initFailed(durationMs, 'invoke', initFailure(end));
    return end;
  }

  /** Writes END and REPORT when what the function printed has been read, and frees the environment. */
  async #settle(
    host: GuestHost,
    requestId: string,
    durationMs: number,
  ): Promise<Buffer | undefined> {
    if (this.#state.kind === 'invoking') this.#apply({ kind: 'answered' });
    // What was printed before the answer is in the pipes by now: one turn of the loop reads it.
    await nextLoopTurn();
    const logTail = this.#report(host, requestId, durationMs, undefined);
    if (this.#state.kind === 'settling') {
      this.#apply({ kind: 'settled' });
      this.#owner.onFree(this);
    }
    return logTail;
  }

  /**
   * The same after the process was lost, which is first ended with all that it started. The
   * environment is free at once: its next event waits for the reset, rather than start another one.
   */
  #settleLost(
    host: GuestHost,
    failure: FailureStatus,
    requestId: string,
    durationMs: number,
  ): Promise<Buffer | undefined> {
    const reset = this.#state.kind === 'invoking';
    if (reset) {
      const reason = failure.status === 'timeout' ? 'timeout' : 'exit';
      this.#apply({ kind: 'process-lost', reason });
    }
    const settled = this.#discardGuest(host).then(() => {
      const logTail = this.#report(host, requestId, durationMs, failure);
      if (this.#state.kind === 'resetting') this.#apply({ kind: 'process-cleared' });
      return logTail;
    });
    if (reset) {
      this.#occupy(settled);
      this.#owner.onFree(this);
    }
    return settled;
  }

  #report(
    host: GuestHost,
    requestId: string,
    durationMs: number,
    failure: FailureStatus | undefined,
  ): Buffer | undefined {
    const initDurationMs = this.#initDurationMs;
    this.#initDurationMs = undefined;
    return this.#log.endRequest({
      requestId,
      durationMs,
      billedDurationMs: Math.ceil(durationMs + (initDurationMs ?? 0)),
      memoryMb: this.version.memoryMb,
      maxMemoryUsedMb: host.memoryPeakMb,
      ...(initDurationMs !== undefined && { initDurationMs }),
      ...(failure !== undefined && { failure }),
    });
  }

  #initialised(host: GuestHost, guest: Guest): void {
    host.limitCpu();
    // A process may also go between two events: the next one then starts with init.
    void guest.exited.then(() => {
      if (this.#host?.guest === guest && this.#state.kind === 'ready') {
        this.#occupy(this.#reset('exit'));
      }
    });
  }

  async #reset(reason: ResetReason): Promise<void> {
    this.#apply({ kind: 'process-lost', reason });
    if (this.#host !== undefined) await this.#discardGuest(this.#host);
    if (this.#state.kind === 'resetting') this.#apply({ kind: 'process-cleared' });
  }

  async #discardGuest(host: GuestHost): Promise<void> {
    try {
      await host.discardGuest();
    } catch (error) {
      throw await this.#giveUp(error);
    }
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
    if (cause instanceof ServiceError) return cause;
    if (cause instanceof CodeFolderError) {
      return new ServiceError('InvalidParameterValueException', cause.message, { cause });
    }
    return new ServiceError('ServiceException', 'The environment could not be started.', { cause });
  }

  async #tearDown(reason: EndReason): Promise<void> {
    this.#apply({ kind: 'end', reason });
    this.#ending.abort();
    await this.#host?.discardGuest().catch(() => {});
    await this.#busy?.catch(() => {});
    try {
      await this.#host?.[Symbol.asyncDispose]();
    } catch (error) {
      this.#services.reportFault(`Cannot remove environment ${this.id}`, error);
    }
    this.#apply({ kind: 'ended' });
    this.#owner.onEnded(this);
  }

  #aliveHost(): GuestHost {
    if (this.#host === undefined || this.#ending.signal.aborted) {
      throw new ServiceError('ServiceException', 'The environment has ended.');
    }
    return this.#host;
  }

  #apply(event: EnvironmentEvent): void {
    this.#state = transition(this.#state, event);
  }
}
