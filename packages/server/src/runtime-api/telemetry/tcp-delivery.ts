import type { Duplex } from 'node:stream';
import type { ConnectToSandbox, TelemetryDelivery } from './telemetry-delivery.ts';

/** Writes events as lines of JSON on one connection, which is made anew after it broke. */
export class TcpDelivery implements TelemetryDelivery {
  readonly #port: number;
  readonly #connect: ConnectToSandbox;
  readonly #disposal = new AbortController();
  #socket: Duplex | undefined;

  constructor(port: number, connect: ConnectToSandbox) {
    this.#port = port;
    this.#connect = connect;
  }

  async send(events: readonly string[], signal: AbortSignal): Promise<void> {
    const ended = AbortSignal.any([signal, this.#disposal.signal]);
    const socket = await this.#connected(ended);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onClose = (): void => reject(new Error('The listener closed the connection'));
    const onAbort = (): void => {
      // Half a batch has perhaps been written: what follows must not be joined to it.
      socket.destroy();
      reject(new Error('The listener did not take the batch in time'));
    };
    socket.once('close', onClose);
    ended.addEventListener('abort', onAbort, { once: true });
    try {
      if (ended.aborted) onAbort();
      const lines = Buffer.from(`${events.join('\n')}\n`);
      if (socket.destroyed) onClose();
      else socket.write(lines, (error) => (error ? reject(error) : resolve()));
      await promise;
    } finally {
      socket.off('close', onClose);
      ended.removeEventListener('abort', onAbort);
    }
  }

  [Symbol.dispose](): void {
    this.#disposal.abort();
    this.#socket?.destroy();
  }

  async #connected(signal: AbortSignal): Promise<Duplex> {
    if (this.#socket !== undefined && !this.#socket.destroyed && this.#socket.writable) {
      return this.#socket;
    }
    this.#socket?.destroy();
    const socket = await this.#connect(this.#port, signal);
    socket.on('error', () => {});
    this.#socket = socket;
    // Whatever the listener says is read past; once it is done, the connection is of no use.
    socket.on('end', () => socket.destroy());
    socket.resume();
    return socket;
  }
}
