/** One instruction of a classic BPF program, `struct sock_filter`. */
export interface BpfInstruction {
  readonly code: number;
  /** How many instructions to skip where the comparison holds. */
  readonly jumpTrue: number;
  /** … and where it does not. */
  readonly jumpFalse: number;
  readonly operand: number;
}

/** Instruction codes that filters of system calls use: all that the kernel can tell the result of ahead. */
export const BpfCode = {
  loadWord: 0x20,
  and: 0x54,
  jumpAlways: 0x05,
  jumpIfEqual: 0x15,
  jumpIfGreaterOrEqual: 0x35,
  return: 0x06,
} as const;

/** Bytes of one instruction: 16 bits of code, two jumps of 8 bits, 32 bits of operand. */
export const INSTRUCTION_BYTES = 8;
/** What the kernel accepts (BPF_MAXINSNS). */
export const MAX_INSTRUCTIONS = 4_096;
/** The longest conditional jump. */
export const MAX_JUMP = 255;

/** A conditional jump; the two distances count from the following instruction. */
export function jump(
  code: number,
  operand: number,
  jumpTrue: number,
  jumpFalse: number,
): BpfInstruction {
  return { code, jumpTrue, jumpFalse, operand };
}

/** An instruction without jumps. */
export function statement(code: number, operand: number): BpfInstruction {
  return { code, jumpTrue: 0, jumpFalse: 0, operand };
}

/** The program as seccomp(2) takes it, in little-endian byte order. */
export function encodeProgram(program: readonly BpfInstruction[]): Buffer {
  if (program.length > MAX_INSTRUCTIONS) {
    throw new Error(
      `Cannot encode filter as it must have <= ${MAX_INSTRUCTIONS} instructions: received ${program.length}`,
    );
  }
  const bytes = Buffer.alloc(program.length * INSTRUCTION_BYTES);
  for (const [index, { code, jumpTrue, jumpFalse, operand }] of program.entries()) {
    const offset = index * INSTRUCTION_BYTES;
    bytes.writeUInt16LE(code, offset);
    bytes.writeUInt8(jumpTrue, offset + 2);
    bytes.writeUInt8(jumpFalse, offset + 3);
    bytes.writeUInt32LE(operand >>> 0, offset + 4);
  }
  return bytes;
}
