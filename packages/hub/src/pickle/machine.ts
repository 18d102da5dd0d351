/**
 * @file The machine that reads a pickle: a stack, a memo, and the operations that `torch.save` uses. Names go through the
 * list of `globals.ts`; an operation that is not here is refused. It works through the bytes once and makes nothing
 * larger than they are. Operations: https://docs.python.org/3/library/pickletools.html
 */
import type { InputError } from '@camada/tensor';
import { allowedGlobal, callGlobal, malformed, storageOf } from './globals.ts';
import type { PickleValue } from './values.ts';

/** The value that a pickle describes. Throws `InputError` on anything but plain values and tensors. */
export function readPickle(bytes: Uint8Array, file: string): PickleValue {
  return new Machine(bytes, file).run();
}

/** Marks the beginning of a group on the stack. */
const MARK = Symbol('mark');

class Machine {
  readonly file: string;
  #at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #stack: (PickleValue | typeof MARK)[] = [];
  readonly #memo = new Map<number, PickleValue>();

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.file = file;
  }

  run(): PickleValue {
    for (;;) {
      const code = this.u8();
      if (code === STOP) return this.pop();
      const operation = OPERATIONS.get(code);
      if (!operation)
        throw this.broken(`the operation 0x${code.toString(16)} at byte ${this.#at - 1}`);
      operation(this);
    }
  }

  /** Moves on by `length` bytes and gives the place where they begin. */
  #skip(length: number): number {
    const at = this.#at;
    if (length < 0 || at + length > this.#bytes.byteLength) throw this.broken('too few bytes');
    this.#at += length;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#skip(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#skip(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#skip(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#skip(4), true);
  }

  /** A length of eight bytes. */
  u64(): number {
    return Number(this.#view.getBigUint64(this.#skip(8), true));
  }

  f64(): number {
    return this.#view.getFloat64(this.#skip(8), false);
  }

  text(length: number): string {
    const at = this.#skip(length);
    return new TextDecoder().decode(this.#bytes.subarray(at, at + length));
  }

  /** Text up to the end of the line. */
  line(): string {
    const end = this.#bytes.indexOf(10, this.#at);
    if (end < 0) throw this.broken('a line without end');
    const text = this.text(end - this.#at);
    this.#skip(1);
    return text;
  }

  /** A little-endian integer in two's complement; those that a number cannot hold are refused. */
  long(length: number): number {
    if (length > 8) throw this.broken(`an integer of ${length} bytes`);
    const at = this.#skip(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes[at + i]!);
    const signed = Number(BigInt.asIntN(8 * length, value));
    if (Number.isSafeInteger(signed)) return signed;
    throw this.broken('an integer beyond 2^53');
  }

  push(value: PickleValue): void {
    this.#stack.push(value);
  }

  mark(): void {
    this.#stack.push(MARK);
  }

  pop(): PickleValue {
    const value = this.#stack.pop();
    if (value !== undefined && value !== MARK) return value;
    throw this.broken('an operation without its operands');
  }

  top(): PickleValue {
    const value = this.pop();
    this.push(value);
    return value;
  }

  /** The values since the last mark. */
  group(): PickleValue[] {
    const start = this.#stack.lastIndexOf(MARK);
    if (start < 0) throw this.broken('a group without beginning');
    const [, ...values] = this.#stack.splice(start);
    // Nothing after the last mark is a mark.
    return values as PickleValue[];
  }

  /** The last `count` values. */
  last(count: number): PickleValue[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }

  remember(index: number = this.#memo.size): void {
    this.#memo.set(index, this.top());
  }

  recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.broken(`a reference to nothing (${index})`);
    this.push(value);
  }

  append(values: readonly PickleValue[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw this.broken('items for something that is no list');
    for (const value of values) list.push(value);
  }

  /** Keys and values in turn. */
  assign(pairs: readonly PickleValue[]): void {
    const dict = this.top();
    if (!(dict instanceof Map) || pairs.length % 2 !== 0)
      throw this.broken('entries for something that is no dictionary');
    for (let i = 0; i < pairs.length; i += 2) dict.set(pairs[i]!, pairs[i + 1]!);
  }

  broken(problem: string): InputError {
    return malformed(this.file, problem);
  }
}

const STOP = 0x2e;

/** Attributes of a dictionary (`_metadata` of a state dict) say nothing about weights. */
function dropState(machine: Machine): void {
  machine.pop();
  if (!(machine.top() instanceof Map))
    throw machine.broken('attributes of something that is no dictionary');
}

function pushGlobal(machine: Machine, module: PickleValue, name: PickleValue): void {
  if (typeof module !== 'string' || typeof name !== 'string')
    throw machine.broken('a name that is no text');
  machine.push(allowedGlobal(`${module}.${name}`, machine.file));
}

function reduce(machine: Machine): void {
  const args = machine.pop();
  machine.push(callGlobal(machine.pop(), args, machine.file));
}

/** A tuple of the last values; a list here, because nothing tells the two apart afterwards. */
const tuple =
  (count: number) =>
  (machine: Machine): void =>
    machine.push(machine.last(count));

const OPERATIONS: ReadonlyMap<number, (machine: Machine) => void> = new Map<
  number,
  (machine: Machine) => void
>([
  [0x80, (m) => void m.u8()], // PROTO
  [0x95, (m) => void m.u64()], // FRAME
  [0x28, (m) => m.mark()],
  [0x4e, (m) => m.push(null)],
  [0x88, (m) => m.push(true)],
  [0x89, (m) => m.push(false)],
  [0x4a, (m) => m.push(m.i32())], // BININT
  [0x4b, (m) => m.push(m.u8())], // BININT1
  [0x4d, (m) => m.push(m.u16())], // BININT2
  [0x8a, (m) => m.push(m.long(m.u8()))], // LONG1
  [0x47, (m) => m.push(m.f64())], // BINFLOAT
  [0x58, (m) => m.push(m.text(m.u32()))], // BINUNICODE
  [0x8c, (m) => m.push(m.text(m.u8()))], // SHORT_BINUNICODE
  [0x8d, (m) => m.push(m.text(m.u64()))], // BINUNICODE8
  [0x55, (m) => m.push(m.text(m.u8()))], // SHORT_BINSTRING
  [0x54, (m) => m.push(m.text(m.i32()))], // BINSTRING
  [0x29, tuple(0)], // EMPTY_TUPLE
  [0x85, tuple(1)],
  [0x86, tuple(2)],
  [0x87, tuple(3)],
  [0x74, (m) => m.push(m.group())], // TUPLE
  [0x5d, (m) => m.push([])], // EMPTY_LIST
  [0x6c, (m) => m.push(m.group())], // LIST
  [0x61, (m) => m.append([m.pop()])], // APPEND
  [0x65, (m) => m.append(m.group())], // APPENDS
  [0x7d, (m) => m.push(new Map<PickleValue, PickleValue>())], // EMPTY_DICT
  [0x73, (m) => m.assign(m.last(2))], // SETITEM
  [0x75, (m) => m.assign(m.group())], // SETITEMS
  [0x71, (m) => m.remember(m.u8())], // BINPUT
  [0x72, (m) => m.remember(m.u32())], // LONG_BINPUT
  [0x94, (m) => m.remember()], // MEMOIZE
  [0x68, (m) => m.recall(m.u8())], // BINGET
  [0x6a, (m) => m.recall(m.u32())], // LONG_BINGET
  [0x63, (m) => pushGlobal(m, m.line(), m.line())], // GLOBAL
  [0x93, (m) => pushGlobal(m, ...(m.last(2) as [PickleValue, PickleValue]))], // STACK_GLOBAL
  [0x52, reduce],
  [0x62, dropState], // BUILD
  [0x51, (m) => m.push(storageOf(m.pop(), m.file))], // BINPERSID
]);
