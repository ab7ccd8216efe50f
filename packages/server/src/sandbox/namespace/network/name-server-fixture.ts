/** The name that a DNS question is about. */
export function nameIn(question: Buffer): string {
  const labels: string[] = [];
  let at = 12;
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    labels.push(question.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return labels.join('.');
}

/** A DNS answer with an IPv4 address; an empty one to a question about anything else. */
export function answerTo(question: Buffer, address: string): Buffer {
  const end = question.indexOf(0, 12) + 5;
  const isForAddress = question.readUInt16BE(end - 4) === 1;
  const record = Buffer.alloc(16);
  // The name is the one at byte 12: the question's.
  record.set([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
  record.set(address.split('.').map(Number), 12);
  const reply = Buffer.concat([question.subarray(0, end), ...(isForAddress ? [record] : [])]);
  reply.set([0x81, 0x80, 0, 1, 0, isForAddress ? 1 : 0, 0, 0, 0, 0], 2);
  return reply;
}
