import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { encodeFrame, FrameReader, type FrameListener, type Payload } from './frames.ts';
import { writeFully } from './write-fully.ts';

/** Most events arrive in one read. */
const READ_BUFFER_BYTES = 65_536;

/** What a channel needs of its socket. */
export interface ChannelSocket {
  /** Bytes that wait to be written. */
  readonly writableLength: number;
  write(bytes: Uint8Array, onWritten: () => void): unknown;
  ref(): unknown;
  unref(): unknown;
}

/**
 * The bootstrap's end of the channel. Writes go straight to the descriptor, one system call each;
 * only what the socket does not take at once is left to the event loop.
 */
export class Channel {
  readonly #fd: number;
  readonly #socket: ChannelSocket;

  constructor(fd: number, socket: ChannelSocket) {
    this.#fd = fd;
    this.#socket = socket;
  }

  /** Opens the channel on a socket's descriptor; `onClosed` is called when the server is gone. */
  static open(fd: number, onFrame: FrameListener, onClosed: () => void): Channel {
    const reader = new FrameReader(onFrame);
    const socket = new Socket({
      fd,
      readable: true,
      writable: true,
      onread: {
        buffer: Buffer.alloc(READ_BUFFER_BYTES),
        callback: (bytesRead, buffer) => {
          reader.read(Buffer.from(buffer.buffer, buffer.byteOffset, bytesRead));
          return true;
        },
      },
    });
    socket.on('error', onClosed);
    socket.on('end', onClosed);
    socket.on('close', onClosed);
    return new Channel(fd, socket);
  }

  /** Whether waiting for the server keeps the process running. */
  keepAlive(wanted: boolean): void {
    if (wanted) this.#socket.ref();
    else this.#socket.unref();
  }

  /** Sends a frame; `onSent` is called, perhaps at once, when the socket has taken all of it. */
  send(type: number, header: string, payload: Payload = '', onSent: () => void = nothing): void {
    const frame = encodeFrame(type, header, payload);
    let sent = 0;
    if (this.#socket.writableLength === 0) {
      try {
        sent = writeSync(this.#fd, frame);
      } catch {
        // Full or broken: written by the socket instead, which waits or tells of the end.
      }
    }
    if (sent === frame.length) onSent();
    else this.#socket.write(sent === 0 ? frame : frame.subarray(sent), onSent);
  }

  /** Sends the last frame; when `onSent` is called the process may exit. */
  sendLast(type: number, header: string, payload: Payload, onSent: () => void): void {
    const frame = encodeFrame(type, header, payload);
    if (this.#socket.writableLength > 0) {
      this.#socket.write(frame, onSent);
      return;
    }
    writeFully(this.#fd, frame);
    onSent();
  }
}

function nothing(): void {}
