/**
 * @file The frame of a kernel's function: `(args, begin, end, scratch)`. `args` is the address of 32-bit
 * words: the scalar words' address, then the address of each buffer, then of the kernel's workspace. The
 * function does work units `begin` to `end − 1`; what a unit is depends on the kernel's shape only, so the
 * bits of the result do not depend on how units are dealt out. `scratch` is memory of the thread.
 */
import { ELEMENTWISE } from '../../ops/elementwise.ts';
import type { Kernel } from '../../schedule/kernel.ts';
import { Code, i32, load, op, plus, type Expr, type Local } from './assembler.ts';
import { Env, evaluate, SINGLE, variation, type Emission, type Region } from './emission.ts';
import type { ModuleFunction, Signature } from './encode.ts';

/** Signature of every kernel function. */
export const KERNEL_SIGNATURE: Signature = {
  parameters: ['i32', 'i32', 'i32', 'i32'],
  results: [],
};

/** Bytes of scratch each thread has: 640 KiB, the panels and the tile of a matmul's unit and to spare. */
export const SCRATCH_BYTES = 655360;

/** A function to run over `units` units. */
export interface Phase {
  readonly function: ModuleFunction;
  readonly units: number;
  /** Estimated time of one unit, in nanoseconds on one core. */
  readonly unitCost: number;
}

/** Code for a kernel: phases to run one after another. */
export interface KernelCode {
  readonly phases: readonly Phase[];
  /** Bytes of memory that the phases share during the kernel. */
  readonly workspace: number;
}

/** What a kernel generator gets besides the kernel. */
export interface Frame {
  readonly e: Emission;
  readonly begin: Local;
  readonly end: Local;
  readonly scratch: Local;
  readonly workspace: Expr;
  /** Values that vary with nothing, evaluated once. */
  readonly uniforms: Env;
}

/** Writes a kernel function: addresses and uniform values, then what `write` adds. */
export function kernelFunction(
  kernel: Kernel,
  relaxed: boolean,
  write: (frame: Frame) => void,
): ModuleFunction {
  const code = new Code(KERNEL_SIGNATURE.parameters);
  const [args, begin, end, scratch] = code.parameters as [Local, Local, Local, Local];
  const regions = kernel.buffers.map(({ dtype }, i): Region => {
    const base = code.let('i32', load('i32.load', args, 4 * (i + 1)));
    return { base, dtype };
  });
  const e: Emission = {
    code,
    kernel,
    relaxed,
    regions,
    scalars: code.let('i32', load('i32.load', args, 0)),
    indices: kernel.loop.map(() => code.let('i32', i32(0))),
    varies: variation(kernel),
    stored: new Map(),
  };
  const uniforms = new Env();
  const ids = kernel.values.flatMap((_, id) => (e.varies[id] === 0 ? [id] : []));
  evaluate(e, ids, uniforms, SINGLE);
  const workspace = load('i32.load', args, 4 * (kernel.buffers.length + 1));
  write({ e, begin, end, scratch, workspace, uniforms });
  return { signature: KERNEL_SIGNATURE, body: code.body() };
}

/** A counter of a unit's number: outermost first; `set` runs when it changes. */
export interface Digit {
  readonly local: Local;
  readonly size: number;
}

/** Repeats `body` for the units, with the digits set to the unit's number in their mixed radix. */
export function unitLoop(frame: Frame, digits: readonly Digit[], body: () => void): void {
  const { code } = frame.e;
  code.if(op('i32.lt_u', frame.begin, frame.end), () => {
    let rest: Expr = frame.begin;
    for (const { local, size } of [...digits].reverse()) {
      const quotient = rest;
      code.set(local, size === 1 ? i32(0) : op('i32.rem_u', quotient, i32(size)));
      rest = code.let('i32', op('i32.div_u', quotient, i32(size)));
    }
    const unit = code.let('i32', frame.begin);
    const step = (): void => {
      code.scope(body);
      count(
        code,
        [...digits].reverse().filter(({ size }) => size > 1),
      );
      code.set(unit, plus(unit, 1));
    };
    code.doWhile(step, op('i32.lt_u', unit, frame.end));
  });
}

/** Adds one to the digits, fastest first. */
function count(code: Code, digits: readonly Digit[]): void {
  const [first, ...rest] = digits;
  if (!first) return;
  code.set(first.local, plus(first.local, 1));
  code.if(op('i32.ge_u', first.local, i32(first.size)), () => {
    code.set(first.local, i32(0));
    count(code, rest);
  });
}

/** Nanoseconds of a simple operation on one element. */
const SIMPLE = 0.08;

/** Estimated nanoseconds for one point of a map or of a row, on one core. */
export function pointCost(kernel: Kernel): number {
  return kernel.values.reduce((sum, value) => {
    if (value.kind === 'op') return sum + SIMPLE * ELEMENTWISE[value.op].cost;
    if (value.kind === 'random') return sum + 8;
    return sum + (value.kind === 'load' ? 0.12 : value.kind === 'gather' ? 0.5 : 0.02);
  }, 0.1 * kernel.stores.length);
}
