import type { Duplex } from 'node:stream';
import { MAX_RESPONSE_BYTES } from '../../domain/limits.ts';
import { responseTooLarge } from '../response-too-large.ts';
import {
  type CodeCacheSink,
  RuntimeGoneError,
  type RuntimeEvent,
  type RuntimeInit,
  type RuntimeResult,
  type RuntimeSession,
} from '../runtime-session.ts';
import { encodeFrame, encodeFrameHead, FRAME, FrameDecoder, type Frame } from './frame-codec.ts';
import { BoundedBuffer } from './bounded-buffer.ts';
import { cleanContentType, cleanErrorType } from './header-fields.ts';

/** A larger event is written beside its frame's head rather than copied behind it. */
const MAX_COPIED_PAYLOAD_BYTES = 65_536;

type Phase =
  | 'booting'
  | 'booted'
  | 'initialising'
  | 'idle'
  | 'invoking'
  | 'streaming'
  | 'failed'
  | 'gone';

interface StreamedResponse {
  readonly contentType: string;
  readonly body: BoundedBuffer;
  oversize: boolean;
}

interface PendingCall {
  readonly resolve: (result: RuntimeResult) => void;
  readonly reject: (error: RuntimeGoneError) => void;
}

/**
 * The conversation with one of Hearth's own bootstraps over its channel, as
 * packages/bootstrap/PROTOCOL.md describes it. A streamed result is buffered into one response.
 *
 * The guest is hostile: whatever breaks the protocol ends the session and closes the channel. The
 * session owns the channel.
 */
export class FramedSession implements RuntimeSession {
  readonly #channel: Duplex;
  readonly #decoder = new FrameDecoder((frame) => this.#receive(frame));
  readonly #booted = Promise.withResolvers<void>();
  #phase: Phase = 'booting';
  #gone: RuntimeGoneError | undefined;
  readonly #goneSoon = Promise.withResolvers<RuntimeGoneError>();
  #pending: PendingCall | undefined;
  /** Of those who wait for the runtime to wait. */
  #idle: PromiseWithResolvers<void> | undefined;
  #requestId = '';
  #stream: StreamedResponse | undefined;
  /** Until all of it has come. */
  #codeCache: CodeCacheSink | undefined;
  #hasAnswered = false;

  constructor(channel: Duplex) {
    this.#channel = channel;
    // Nobody may be waiting for the boot; a rejection is then no fault of the server's.
    this.#booted.promise.catch(() => {});
    // Stays attached for good: an error after dispose must not become an uncaught exception.
    channel.on('error', (error) =>
      this.#end(new RuntimeGoneError(`The channel failed: ${error.message}`)),
    );
    channel.on('data', this.#onData);
    channel.on('end', this.#onEnd);
    channel.on('close', this.#onEnd);
  }

  get gone(): Promise<RuntimeGoneError> {
    return this.#goneSoon.promise;
  }

  booted(): Promise<void> {
    return this.#booted.promise;
  }

  async init(init: RuntimeInit): Promise<RuntimeResult> {
    // One that has booted gets it at once.
    if (this.#phase === 'booting') await this.#booted.promise;
    if (this.#gone !== undefined) throw this.#gone;
    if (this.#phase !== 'booted') throw new Error(`Cannot init a runtime that is ${this.#phase}`);
    this.#phase = 'initialising';
    const result = this.#call();
    const { codeCache, ...header } = init;
    this.#codeCache = codeCache?.sink;
    this.#channel.write(
      encodeFrame(FRAME.init, {
        ...header,
        ...(codeCache?.folder !== undefined && { codeCache: codeCache.folder }),
        ...(codeCache?.sink !== undefined && { collectCodeCache: true }),
      }),
    );
    return result;
  }

  invoke(event: RuntimeEvent): Promise<RuntimeResult> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    if (this.#phase !== 'idle') {
      return Promise.reject(new Error(`Cannot invoke a runtime that is ${this.#phase}`));
    }
    this.#phase = 'invoking';
    this.#requestId = event.requestId;
    const result = this.#call();
    this.#writeInvoke(event);
    return result;
  }

  idle(): Promise<void> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    if (this.#phase === 'idle') return Promise.resolve();
    this.#idle ??= Promise.withResolvers();
    return this.#idle.promise;
  }

  [Symbol.dispose](): void {
    this.#end(new RuntimeGoneError('The session was disposed'));
  }

  #call(): Promise<RuntimeResult> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
    });
  }

  #writeInvoke(event: RuntimeEvent): void {
    const { payload } = event;
    const header = {
      requestId: event.requestId,
      deadlineMs: event.deadlineMs,
      invokedFunctionArn: event.invokedFunctionArn,
      traceId: event.traceId,
      clientContext: event.clientContext,
      cognitoIdentity: event.cognitoIdentity,
    };
    if (payload.length <= MAX_COPIED_PAYLOAD_BYTES) {
      this.#channel.write(encodeFrame(FRAME.invoke, header, payload));
      return;
    }
    this.#channel.cork();
    this.#channel.write(encodeFrameHead(FRAME.invoke, header, payload.length));
    this.#channel.write(payload);
    this.#channel.uncork();
  }

  readonly #onData = (chunk: Buffer): void => {
    try {
      this.#decoder.write(chunk);
    } catch (error) {
      this.#violate(error instanceof Error ? error.message : String(error));
    }
  };

  readonly #onEnd = (): void => {
    this.#end(new RuntimeGoneError('The runtime closed its channel'));
  };

  #receive(frame: Frame): void {
    if (this.#gone !== undefined) return;
    switch (frame.type) {
      case FRAME.response:
        return this.#receiveResponse(frame);
      case FRAME.error:
        return this.#receiveError(frame);
      case FRAME.streamStart:
      case FRAME.streamChunk:
      case FRAME.streamEnd:
        return this.#receiveStream(frame);
      case FRAME.booted:
        return this.#receiveBooted(frame);
      case FRAME.ready:
      case FRAME.initError:
        return this.#receiveInitResult(frame);
      case FRAME.codeCache:
        return this.#receiveCodeCache(frame);
      default:
        return this.#violate(`a frame of unknown type 0x${frame.type.toString(16)}`);
    }
  }

  #receiveBooted(frame: Frame): void {
    if (!this.#expect(frame, 'booting')) return;
    this.#phase = 'booted';
    this.#booted.resolve();
  }

  #receiveInitResult(frame: Frame): void {
    if (!this.#expect(frame, 'initialising')) return;
    if (frame.type === FRAME.initError) {
      this.#settle('failed', errorResult(frame));
      return;
    }
    const codeCacheRejected = frame.header['codeCache'] === 'rejected';
    this.#settle('idle', { kind: 'ready', ...(codeCacheRejected && { codeCacheRejected }) });
  }

  /** Compiled code is only taken from a runtime that was asked for it and has run an event. */
  #receiveCodeCache(frame: Frame): void {
    const sink = this.#codeCache;
    if (sink === undefined || !this.#hasAnswered || frame.oversize) {
      this.#violate('compiled code that it was not asked for');
      return;
    }
    sink.add(frame.payload);
    if (frame.header['last'] !== true) return;
    this.#codeCache = undefined;
    sink.end();
  }

  #receiveResponse(frame: Frame): void {
    if (!this.#expectForRequest(frame, 'invoking')) return;
    this.#settle(
      'idle',
      frame.oversize
        ? responseTooLarge()
        : {
            kind: 'response',
            payload: frame.payload,
            contentType: cleanContentType(frame.header['contentType']),
          },
    );
  }

  #receiveError(frame: Frame): void {
    if (!this.#expectForRequest(frame, 'invoking')) return;
    this.#settle('idle', errorResult(frame));
  }

  #receiveStream(frame: Frame): void {
    if (frame.type === FRAME.streamStart) {
      if (!this.#expectForRequest(frame, 'invoking')) return;
      this.#phase = 'streaming';
      this.#stream = {
        contentType: cleanContentType(frame.header['contentType']),
        body: new BoundedBuffer(MAX_RESPONSE_BYTES),
        oversize: false,
      };
      return;
    }
    if (!this.#expectForRequest(frame, 'streaming') || this.#stream === undefined) return;
    if (frame.type === FRAME.streamChunk) {
      this.#stream.body.append(frame.payload);
      this.#stream.oversize ||= frame.oversize || this.#stream.body.overflowed;
      return;
    }
    const result = streamResult(frame, this.#stream);
    this.#stream = undefined;
    this.#settle('idle', result);
  }

  #expect(frame: Frame, phase: Phase): boolean {
    if (this.#phase === phase) return true;
    this.#violate(`a frame of type 0x${frame.type.toString(16)} while ${this.#phase}`);
    return false;
  }

  #expectForRequest(frame: Frame, phase: Phase): boolean {
    if (!this.#expect(frame, phase)) return false;
    if (frame.header['requestId'] === this.#requestId) return true;
    this.#violate(`a frame of type 0x${frame.type.toString(16)} for another request`);
    return false;
  }

  #settle(phase: Phase, result: RuntimeResult): void {
    const pending = this.#pending;
    this.#phase = phase;
    this.#pending = undefined;
    pending?.resolve(result);
    if (phase !== 'idle') return;
    this.#hasAnswered ||= result.kind !== 'ready';
    this.#idle?.resolve();
    this.#idle = undefined;
  }

  #violate(violation: string): void {
    this.#end(new RuntimeGoneError(`The runtime broke the protocol: ${violation}`, violation));
  }

  #end(error: RuntimeGoneError): void {
    if (this.#gone !== undefined) return;
    this.#gone = error;
    this.#goneSoon.resolve(error);
    this.#phase = 'gone';
    this.#stream = undefined;
    this.#codeCache = undefined;
    const pending = this.#pending;
    this.#pending = undefined;
    this.#channel.off('data', this.#onData);
    this.#channel.off('end', this.#onEnd);
    this.#channel.off('close', this.#onEnd);
    this.#channel.destroy();
    this.#booted.reject(error);
    pending?.reject(error);
    this.#idle?.reject(error);
  }
}

function errorResult(frame: Frame): RuntimeResult {
  const fatal = frame.header['fatal'] === true;
  if (frame.oversize) return { ...responseTooLarge(), ...(fatal && { fatal }) };
  return {
    kind: 'error',
    errorType: cleanErrorType(frame.header['errorType']),
    payload: frame.payload,
    ...(fatal && { fatal }),
  };
}

function streamResult(end: Frame, stream: StreamedResponse): RuntimeResult {
  if (end.header['errorType'] !== undefined) return errorResult(end);
  if (stream.oversize || end.oversize) return responseTooLarge();
  return {
    kind: 'response',
    payload: stream.body.toBuffer(),
    contentType: stream.contentType,
  };
}
