import { INSTRUCTION_BYTES } from './classic-bpf.ts';

/** A call as a filter sees it: `struct seccomp_data`. */
export interface FilteredCall {
  readonly number: number;
  readonly architecture: number;
  readonly callArguments: readonly bigint[];
}

/** Lengths of `struct seccomp_data` and of its part before the arguments. */
const DATA_BYTES = 64;
const HEAD_BYTES = 16;

/** Runs an encoded filter as the kernel would; throws on what the kernel would refuse to load. */
export function runFilter(program: Buffer, call: FilteredCall): { value: number; steps: number } {
  const data = Buffer.alloc(DATA_BYTES);
  data.writeUInt32LE(call.number >>> 0, 0);
  data.writeUInt32LE(call.architecture, 4);
  for (const [index, value] of call.callArguments.entries()) {
    data.writeBigUInt64LE(BigInt.asUintN(64, value), HEAD_BYTES + index * 8);
  }
  let accumulator = 0;
  let position = 0;
  for (let steps = 1; ; steps += 1) {
    const offset = position * INSTRUCTION_BYTES;
    if (offset >= program.length) throw new Error('the filter runs past its end');
    const code = program.readUInt16LE(offset);
    const [jumpTrue, jumpFalse] = [program.readUInt8(offset + 2), program.readUInt8(offset + 3)];
    const operand = program.readUInt32LE(offset + 4);
    const branch = (holds: boolean): number => position + 1 + (holds ? jumpTrue : jumpFalse);
    switch (code) {
      case 0x20:
        if (operand % 4 !== 0) throw new Error('a load that is not aligned');
        accumulator = data.readUInt32LE(operand);
        position += 1;
        break;
      case 0x54:
        accumulator = (accumulator & operand) >>> 0;
        position += 1;
        break;
      case 0x05:
        position += 1 + operand;
        break;
      case 0x15:
        position = branch(accumulator === operand);
        break;
      case 0x35:
        position = branch(accumulator >= operand);
        break;
      case 0x06:
        return { value: operand, steps };
      default:
        throw new Error(`an instruction that filters must not have: ${code}`);
    }
  }
}
