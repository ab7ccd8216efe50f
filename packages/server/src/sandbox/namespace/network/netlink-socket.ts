import { closeSync } from 'node:fs';
import { nameOfErrno, SystemCallError } from '../../../system-calls/linux-system-calls.ts';
import { type NetworkCalls, SocketKind } from '../../../system-calls/network-calls.ts';
import {
  encodeRequests,
  type NetlinkReply,
  type NetlinkRequest,
  parseReplies,
} from './netlink-message.ts';

const NLM_F_DUMP = 0x300;
/** The kernel gives no more than this at once. */
const RECEIVE_BYTES = 32 * 1_024;

/** Changes and reads the links, addresses and routes of the namespace that it was made in. */
export class NetlinkSocket implements Disposable {
  readonly #calls: NetworkCalls;
  readonly #descriptor: number;
  #sequence = 1;
  #turn: Promise<unknown> = Promise.resolve();

  /** Belongs to the network namespace that the thread is in. */
  constructor(calls: NetworkCalls) {
    this.#calls = calls;
    this.#descriptor = calls.createSocket(SocketKind.routes);
  }

  /**
   * Does what is asked for, in this order, without keeping the server's thread waiting. Rejects with
   * the first failure; what follows it has been tried all the same.
   */
  request(requests: readonly NetlinkRequest[]): Promise<void> {
    return this.#inTurn(async () => {
      const first = this.#sequence;
      this.#sequence += requests.length;
      await this.#calls.send(this.#descriptor, encodeRequests(requests, first));
      // The kernel has answered all of it by now.
      let failure: SystemCallError | undefined;
      for (const reply of this.#received()) {
        if (reply.kind !== 'end' || reply.errno === 0) continue;
        const name = requests[reply.sequence - first]?.name ?? '';
        failure ??= new SystemCallError('rtnetlink', name, nameOfErrno(reply.errno));
      }
      if (failure !== undefined) throw failure;
    });
  }

  /**
   * Asks for all of something.
   *
   * @param maxItems where there are more, the rest is not read, and the socket can only be closed
   */
  list(request: NetlinkRequest, maxItems: number): Promise<Buffer[]> {
    return this.#inTurn(async () => {
      const sequence = this.#sequence;
      this.#sequence += 1;
      const dump = { ...request, flags: request.flags | NLM_F_DUMP };
      await this.#calls.send(this.#descriptor, encodeRequests([dump], sequence));
      const items: Buffer[] = [];
      for (const reply of this.#received()) {
        if (reply.sequence !== sequence) continue;
        if (reply.kind === 'item') items.push(reply.payload);
        else if (reply.errno !== 0) {
          throw new SystemCallError('rtnetlink', request.name, nameOfErrno(reply.errno));
        }
        if (items.length >= maxItems) break;
      }
      return items;
    });
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }

  *#received(): Generator<NetlinkReply> {
    const buffer = Buffer.allocUnsafeSlow(RECEIVE_BYTES);
    for (;;) {
      const bytes = this.#calls.receive(this.#descriptor, buffer);
      if (bytes === undefined || bytes === 0) return;
      yield* parseReplies(Buffer.from(buffer.subarray(0, bytes)));
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }
}
