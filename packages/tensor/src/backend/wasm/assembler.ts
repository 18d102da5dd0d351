/**
 * @file Writes one function body. An `Expr` pushes one value when it is written; statements are methods
 * of `Code`. Locals are expressions too, so formulas read like formulas:
 * `c.set(y, op('f32x4.add', x, c.let(...)))`.
 */
import { signed, unsigned } from './leb128.ts';
import { LANES, LANE_MEMORY, LOADS, OTHER, PLAIN, STORES } from './opcodes.ts';

/** Types of locals and parameters that the back end uses. */
export type ValueType = 'i32' | 'f32' | 'v128';

/** Something that pushes one value. */
export type Expr = (code: Code) => void;

/** A local variable; as an expression, its value. */
export interface Local extends Expr {
  readonly index: number;
  readonly type: ValueType;
}

/** Where a branch goes: the depth of its block. */
export type Label = number;

/** A finished body: the types of its locals after the parameters, and its instructions. */
export interface FunctionBody {
  readonly locals: readonly ValueType[];
  readonly bytes: readonly number[];
}

/** Builder of one function. */
export class Code {
  readonly bytes: number[] = [];
  readonly parameters: readonly Local[];
  readonly #locals: ValueType[] = [];
  #free: Local[] = [];
  #scope: Local[] | undefined;
  #depth = 0;

  constructor(parameters: readonly ValueType[]) {
    this.parameters = parameters.map((type, index) => makeLocal(index, type));
  }

  /** The finished body. */
  body(): FunctionBody {
    return { locals: this.#locals, bytes: this.bytes };
  }

  /** Appends an opcode. */
  opcode(code: number): void {
    if (code > 0xffff) {
      this.bytes.push(code >>> 16);
      unsigned(this.bytes, code & 0xffff);
    } else this.bytes.push(code);
  }

  /** Writes a statement or pushes a value. */
  do(expr: Expr): void {
    expr(this);
  }

  /** A local of this type; its value is undefined until it is set. */
  local(type: ValueType): Local {
    const at = this.#free.findIndex((local) => local.type === type);
    const reused = at < 0 ? undefined : this.#free.splice(at, 1)[0];
    const local = reused ?? makeLocal(this.parameters.length + this.#locals.length, type);
    if (!reused) this.#locals.push(type);
    this.#scope?.push(local);
    return local;
  }

  /** A new local that holds the value. */
  let(type: ValueType, value: Expr): Local {
    value(this);
    const local = this.local(type);
    this.opcode(OTHER['local.set']);
    unsigned(this.bytes, local.index);
    return local;
  }

  set(local: Local, value: Expr): void {
    value(this);
    this.opcode(OTHER['local.set']);
    unsigned(this.bytes, local.index);
  }

  /** Writes `body`; the locals made inside are free for reuse afterwards. */
  scope(body: () => void): void {
    const outer = this.#scope;
    const own: Local[] = [];
    this.#scope = own;
    body();
    this.#scope = outer;
    this.#free = [...this.#free, ...own];
  }

  #open(opcode: number, body: (label: Label) => void): void {
    this.opcode(opcode);
    this.bytes.push(0x40);
    this.#depth++;
    body(this.#depth);
    this.#depth--;
    this.opcode(OTHER.end);
  }

  /** A block; a branch to its label leaves it. */
  block(body: (label: Label) => void): void {
    this.#open(OTHER.block, body);
  }

  /** A loop; a branch to its label starts it again. */
  loop(body: (label: Label) => void): void {
    this.#open(OTHER.loop, body);
  }

  if(condition: Expr, then: () => void, otherwise?: () => void): void {
    condition(this);
    this.#open(OTHER.if, () => {
      then();
      if (!otherwise) return;
      this.opcode(OTHER.else);
      otherwise();
    });
  }

  /** Repeats `body` while the condition, read after it, holds; runs it at least once. */
  doWhile(body: () => void, condition: Expr): void {
    this.loop((again) => {
      body();
      this.branchIf(again, condition);
    });
  }

  /** Repeats `body` while the condition, read before it, holds. */
  while(condition: Expr, body: () => void): void {
    this.if(condition, () => this.doWhile(body, condition));
  }

  branch(label: Label): void {
    this.opcode(OTHER.br);
    unsigned(this.bytes, this.#depth - label);
  }

  branchIf(label: Label, condition: Expr): void {
    condition(this);
    this.opcode(OTHER.br_if);
    unsigned(this.bytes, this.#depth - label);
  }

  /** Calls function `index` of the module; it must return nothing. */
  call(index: number, ...args: readonly Expr[]): void {
    for (const arg of args) arg(this);
    this.opcode(OTHER.call);
    unsigned(this.bytes, index);
  }
}

function makeLocal(index: number, type: ValueType): Local {
  const get: Expr = (code) => {
    code.opcode(OTHER['local.get']);
    unsigned(code.bytes, index);
  };
  return Object.assign(get, { index, type });
}

/** An instruction without immediates over its operands. */
export function op(name: keyof typeof PLAIN, ...operands: readonly Expr[]): Expr {
  return (code) => {
    for (const operand of operands) operand(code);
    code.opcode(PLAIN[name]);
  };
}

/** An i32 literal. */
export function i32(value: number): Expr {
  return (code) => {
    code.opcode(OTHER['i32.const']);
    signed(code.bytes, value);
  };
}

function v128(view: DataView): Expr {
  return (code) => {
    code.opcode(OTHER['v128.const']);
    for (let i = 0; i < 16; i++) code.bytes.push(view.getUint8(i));
  };
}

/** Four i32 or u32 literals; one is repeated. */
export function i32x4(...values: readonly number[]): Expr {
  const view = new DataView(new ArrayBuffer(16));
  for (let i = 0; i < 4; i++) view.setInt32(4 * i, values[i % values.length]! | 0, true);
  return v128(view);
}

/** Four equal f32 literals. */
export function f32x4(value: number): Expr {
  const view = new DataView(new ArrayBuffer(16));
  for (let i = 0; i < 4; i++) view.setFloat32(4 * i, value, true);
  return v128(view);
}

/** Two equal f64 literals. */
export function f64x2(value: number): Expr {
  const view = new DataView(new ArrayBuffer(16));
  for (let i = 0; i < 2; i++) view.setFloat64(8 * i, value, true);
  return v128(view);
}

function memoryOperand(code: Code, opcode: number, offset: number): void {
  code.opcode(opcode);
  code.bytes.push(0);
  unsigned(code.bytes, offset);
}

/** Reads memory at `address + offset`; the offset is not negative. */
export function load(name: keyof typeof LOADS, address: Expr, offset = 0): Expr {
  return (code) => {
    address(code);
    memoryOperand(code, LOADS[name], offset);
  };
}

/** Writes memory at `address + offset`. */
export function store(name: keyof typeof STORES, address: Expr, value: Expr, offset = 0): Expr {
  return (code) => {
    address(code);
    value(code);
    memoryOperand(code, STORES[name], offset);
  };
}

/** Reads or writes one lane of `vector` at `address + offset`. */
export function laneMemory(
  name: keyof typeof LANE_MEMORY,
  lane: number,
  address: Expr,
  vector: Expr,
  offset = 0,
): Expr {
  return (code) => {
    address(code);
    vector(code);
    memoryOperand(code, LANE_MEMORY[name], offset);
    code.bytes.push(lane);
  };
}

/** Extracts or replaces a lane. */
export function lane(name: keyof typeof LANES, index: number, ...operands: readonly Expr[]): Expr {
  return (code) => {
    for (const operand of operands) operand(code);
    code.opcode(LANES[name]);
    code.bytes.push(index);
  };
}

/** 32-bit words of `x` (0–3) and `y` (4–7) in the order given. */
export function shuffle(x: Expr, y: Expr, words: readonly [number, number, number, number]): Expr {
  return (code) => {
    x(code);
    y(code);
    code.opcode(OTHER['i8x16.shuffle']);
    for (const word of words) for (let b = 0; b < 4; b++) code.bytes.push(4 * word + b);
  };
}

/** `a + b`, folded where a literal says so. */
export function plus(a: Expr, b: number): Expr {
  return b === 0 ? a : op('i32.add', a, i32(b));
}

/** `a · b` for a literal b, without the product where b is 0 or 1. */
export function times(a: Expr, b: number): Expr {
  if (b === 0) return i32(0);
  return b === 1 ? a : op('i32.mul', a, i32(b));
}
