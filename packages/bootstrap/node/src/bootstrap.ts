import { defineAwslambda } from './awslambda.ts';
import type { Channel } from './channel.ts';
import { deliverCodeCache } from './code-cache-delivery.ts';
import { CodeCache } from './code-cache.ts';
import { buildContext } from './context.ts';
import { adoptEnvironment } from './environment.ts';
import { toErrorResponse, UnhandledPromiseRejection } from './errors.ts';
import { EventRun } from './event-run.ts';
import { FRAME, type FrameListener } from './frames.ts';
import { hasCallbacks, inspectHandler, type LoadedHandler } from './handler.ts';
import { loadHandler } from './load-handler.ts';
import { LogWriter } from './log-writer.ts';
import type { InitHeader, InvokeHeader } from './protocol.ts';
import { runHandler, runHandlerWithCallbacks, runStreamingHandler } from './run-handler.ts';

const EXIT_FAILED = 1;
/** What Node.js itself exits with where a module never finishes to load. */
const EXIT_UNSETTLED_AWAIT = 13;
const EXIT_UNHANDLED_REJECTION = 128;
const EXIT_UNCAUGHT_EXCEPTION = 129;

/** The function, once it is loaded. */
interface LoadedFunction {
  readonly init: InitHeader;
  readonly handler: LoadedHandler;
  readonly withCallbacks: boolean;
}

/** Drives one function: init, then one event after the other, until the server is gone. */
export class Bootstrap {
  readonly #channel: Channel;
  readonly #logFd: number;
  readonly #exit = process.exit.bind(process);
  #log: LogWriter;
  #function: LoadedFunction | undefined;
  #isInitialising = false;
  #isExiting = false;
  #run: EventRun | undefined;
  #codeCache: CodeCache | undefined;
  #isCodeWanted = false;

  /** `connect` opens the channel and hands it to what the server sends. */
  constructor(connect: (onFrame: FrameListener) => Channel, logFd: number) {
    this.#logFd = logFd;
    this.#log = new LogWriter(logFd, undefined);
    this.#channel = connect((type, header, frame, payloadStart) =>
      this.#receive(type, header, frame, payloadStart),
    );
  }

  /** Tells the server that the function may be loaded. */
  start(): void {
    this.#channel.send(FRAME.booted, JSON.stringify({ languageVersion: process.versions.node }));
  }

  #receive(type: number, header: string, frame: Buffer, payloadStart: number): void {
    if (type === FRAME.invoke) {
      this.#invoke(JSON.parse(header), frame, payloadStart);
    } else if (type === FRAME.init) {
      void this.#init(JSON.parse(header));
    }
  }

  async #init(init: InitHeader): Promise<void> {
    this.#isInitialising = true;
    // Nothing but the function's own work keeps the process alive while it loads.
    this.#channel.keepAlive(false);
    adoptEnvironment(init.environment);
    this.#log = new LogWriter(this.#logFd, process.env['AWS_LAMBDA_LOG_FORMAT']);
    this.#log.patchConsole(process.env['AWS_LAMBDA_LOG_LEVEL']);
    for (const warning of init.warnings) console.warn(warning);
    this.#watchProcess();
    hideBootstrap();
    if (!/^(1|true)$/.test(process.env['AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA'] ?? '')) {
      defineAwslambda();
    }
    try {
      // A worker that was started ahead is elsewhere; it may also be in what a mount has covered.
      process.chdir(init.taskRoot);
      this.#useCodeCache(init);
      const withCallbacks = hasCallbacks(init.runtime);
      // A wrapper may have put another in its place.
      const name = process.env['_HANDLER'] ?? init.handler;
      const handler = inspectHandler(await loadHandler(init.taskRoot, name), withCallbacks);
      this.#function = { init, handler, withCallbacks };
    } catch (error) {
      this.#failInit('Uncaught Exception', error, EXIT_FAILED);
      return;
    }
    // After this turn, as a promise that was rejected while loading is told of at its end.
    setImmediate(() => this.#becomeReady());
  }

  #becomeReady(): void {
    this.#isInitialising = false;
    this.#channel.keepAlive(true);
    const isStale = this.#codeCache?.isStale === true;
    this.#channel.send(FRAME.ready, isStale ? '{"codeCache":"rejected"}' : '{}');
  }

  #useCodeCache(init: InitHeader): void {
    this.#isCodeWanted = init.collectCodeCache === true;
    this.#codeCache = CodeCache.create(init.taskRoot, init.codeCache, this.#isCodeWanted);
    this.#codeCache?.install();
  }

  #answered(): void {
    const cache = this.#codeCache;
    this.#codeCache = undefined;
    cache?.retire();
    if (!this.#isCodeWanted) return;
    this.#isCodeWanted = false;
    deliverCodeCache(cache, this.#channel);
  }

  #invoke(invoke: InvokeHeader, frame: Buffer, payloadStart: number): void {
    if (this.#function === undefined) throw new Error('Cannot take an event before init');
    const { init, handler, withCallbacks } = this.#function;
    const run = new EventRun(this.#channel, this.#log, invoke.requestId, () => this.#answered());
    this.#run = run;
    this.#log.requestId = invoke.requestId;
    setTraceId(invoke.traceId);
    let event: unknown;
    let context;
    try {
      event = JSON.parse(frame.toString('utf8', payloadStart));
      context = buildContext(init, invoke);
    } catch (error) {
      run.fail(error);
      return;
    }
    if (handler.isStreaming) void runStreamingHandler(run, handler, event, context, withCallbacks);
    else if (withCallbacks) runHandlerWithCallbacks(run, handler, event, context);
    else void runHandler(run, handler, event, context);
  }

  #watchProcess(): void {
    process.on('beforeExit', () => {
      if (this.#isInitialising) this.#exit(EXIT_UNSETTLED_AWAIT);
      this.#run?.loopIsEmpty();
    });
    process.on('uncaughtException', (error) => {
      this.#fail('Uncaught Exception', error, EXIT_UNCAUGHT_EXCEPTION);
    });
    process.on('unhandledRejection', (reason, promise) => {
      const error = new UnhandledPromiseRejection(reason, promise);
      this.#fail('Unhandled Promise Rejection', error, EXIT_UNHANDLED_REJECTION);
    });
  }

  /** Reports what nothing has caught to whom waits for an answer, and ends the process. */
  #fail(title: string, error: unknown, exitCode: number): void {
    if (this.#isInitialising) {
      this.#failInit(title, error, exitCode);
      return;
    }
    if (this.#isExiting) return;
    this.#isExiting = true;
    this.#log.logError(title, error);
    if (this.#run === undefined || this.#run.isDone) this.#exit(exitCode);
    this.#run?.failFatally(error, () => this.#exit(exitCode));
  }

  #failInit(title: string, error: unknown, exitCode: number): void {
    if (this.#isExiting) return;
    this.#isExiting = true;
    this.#log.logError(title, error);
    const response = toErrorResponse(error);
    const header = JSON.stringify({ errorType: response.errorType });
    this.#channel.sendLast(FRAME.initError, header, JSON.stringify(response), () => {
      this.#exit(exitCode);
    });
  }
}

function setTraceId(traceId: string | undefined): void {
  if (traceId === undefined) delete process.env['_X_AMZN_TRACE_ID'];
  else process.env['_X_AMZN_TRACE_ID'] = traceId;
}

/** On AWS Lambda the entry point is an ES module: no module is `require.main`. */
function hideBootstrap(): void {
  process.argv[1] = '/var/runtime/index.mjs';
  Reflect.deleteProperty(process, 'mainModule');
}
