/*
 * Messages of rtnetlink, the kernel's interface for links, addresses and routes: rtnetlink(7).
 * Every number is in the machine's byte order, which is little-endian wherever Hearth runs.
 */

const HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;

/** A request without its number, and what it is called in an error. */
export interface NetlinkRequest {
  readonly name: string;
  readonly type: number;
  /** Besides NLM_F_REQUEST and NLM_F_ACK. */
  readonly flags: number;
  readonly payload: Buffer;
}

/** One message that came back: an acknowledgement, or one of what was asked for. */
export type NetlinkReply =
  | { readonly kind: 'end'; readonly sequence: number; readonly errno: number }
  | {
      readonly kind: 'item';
      readonly sequence: number;
      readonly type: number;
      readonly payload: Buffer;
    };

/** An attribute: length, type, value, padding to four bytes. */
export function attribute(type: number, value: Buffer): Buffer {
  const length = ATTRIBUTE_HEADER_BYTES + value.length;
  const bytes = Buffer.alloc(aligned(length));
  bytes.writeUInt16LE(length, 0);
  bytes.writeUInt16LE(type, 2);
  value.copy(bytes, ATTRIBUTE_HEADER_BYTES);
  return bytes;
}

export function numberAttribute(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return attribute(type, bytes);
}

/** Text that ends with NUL. */
export function textAttribute(type: number, value: string): Buffer {
  return attribute(type, Buffer.from(`${value}\0`, 'latin1'));
}

/** Several requests as the kernel takes them at once, numbered from `firstSequence`. */
export function encodeRequests(requests: readonly NetlinkRequest[], firstSequence: number): Buffer {
  const messages = requests.map(({ type, flags, payload }, index) => {
    const bytes = Buffer.alloc(aligned(HEADER_BYTES + payload.length));
    bytes.writeUInt32LE(HEADER_BYTES + payload.length, 0);
    bytes.writeUInt16LE(type, 4);
    bytes.writeUInt16LE(flags | NLM_F_REQUEST | NLM_F_ACK, 6);
    bytes.writeUInt32LE(firstSequence + index, 8);
    payload.copy(bytes, HEADER_BYTES);
    return bytes;
  });
  return Buffer.concat(messages);
}

/** The messages of what was received at once. A part that is cut off is left out. */
export function parseReplies(data: Buffer): NetlinkReply[] {
  const replies: NetlinkReply[] = [];
  let rest = data;
  while (rest.length >= HEADER_BYTES) {
    const length = rest.readUInt32LE(0);
    if (length < HEADER_BYTES || length > rest.length) break;
    const type = rest.readUInt16LE(4);
    const sequence = rest.readUInt32LE(8);
    const payload = rest.subarray(HEADER_BYTES, length);
    if (type === NLMSG_ERROR || type === NLMSG_DONE) {
      // Both begin with a status: 0, or an error's number below zero.
      const errno = payload.length >= 4 ? -payload.readInt32LE(0) : 0;
      replies.push({ kind: 'end', sequence, errno: errno > 0 ? errno : 0 });
    } else {
      replies.push({ kind: 'item', sequence, type, payload });
    }
    rest = rest.subarray(Math.min(aligned(length), rest.length));
  }
  return replies;
}

/** Values of attributes by type; of several of one type the last. */
export function parseAttributes(data: Buffer): Map<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  let rest = data;
  while (rest.length >= ATTRIBUTE_HEADER_BYTES) {
    const length = rest.readUInt16LE(0);
    if (length < ATTRIBUTE_HEADER_BYTES || length > rest.length) break;
    // The two highest bits mark nested attributes and the byte order.
    attributes.set(rest.readUInt16LE(2) & 0x3fff, rest.subarray(ATTRIBUTE_HEADER_BYTES, length));
    rest = rest.subarray(Math.min(aligned(length), rest.length));
  }
  return attributes;
}

function aligned(length: number): number {
  return Math.ceil(length / 4) * 4;
}
