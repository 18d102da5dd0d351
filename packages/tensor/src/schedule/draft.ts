/**
 * @file A kernel while it is being written: values over symbolic axes, with equal values shared.
 */
import type { ScalarType } from '../dtype.ts';
import type { ReduceName } from '../ops/reduction.ts';
import type { Node } from '../graph/node.ts';
import { keyOf, type Expr } from './affine.ts';
import { identity } from './identity.ts';
import type { Value, ValueId } from './kernel.ts';

/** A value whose addresses are still symbolic and whose buffers are still nodes. */
export type DraftValue =
  | Exclude<Value, { kind: 'index' | 'load' | 'gather' | 'random' }>
  | {
      readonly kind: 'index';
      readonly dtype: 'i32';
      readonly at: Expr;
      readonly divisor?: number;
    }
  | {
      readonly kind: 'load';
      readonly dtype: ScalarType;
      readonly from: Node;
      readonly at: Expr;
      readonly guard: ValueId | undefined;
    }
  | {
      readonly kind: 'gather';
      readonly dtype: ScalarType;
      readonly from: Node;
      readonly at: Expr;
      readonly index: ValueId;
      readonly stride: number;
      readonly rows: number;
      readonly guard: ValueId | undefined;
    }
  | {
      readonly kind: 'random';
      readonly dtype: 'f32' | 'u32';
      readonly counter: Expr;
      readonly key: readonly [ValueId, ValueId];
    };

/** A store to the memory of a node. */
export interface DraftStore {
  readonly to: Node;
  readonly at: Expr;
  readonly value: ValueId;
}

/** Reductions of one pass. */
export interface DraftStage {
  readonly accumulators: { reduce: ReduceName; dtype: ScalarType; value: ValueId }[];
}

/** The memory that a node stands for: leaves over one storage share it. */
export function memoryOf(node: Node): object {
  return node.op === 'buffer' ? node.attrs.storage : node;
}

/** Values in SSA order. */
export class Draft {
  readonly values: DraftValue[] = [];
  readonly stores: DraftStore[] = [];
  readonly stages: DraftStage[] = [];
  /** The first stage after which a value can be computed, by value. */
  readonly ready: number[] = [];
  private readonly known = new Map<string, ValueId>();

  /** Adds a value, or finds the equal one. */
  add(value: DraftValue, operands: readonly ValueId[] = []): ValueId {
    const key = valueKey(value);
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const id = this.values.push(value) - 1;
    const own = value.kind === 'accumulator' ? value.stage + 1 : 0;
    this.ready.push(Math.max(own, ...operands.map((x) => this.ready[x]!)));
    this.known.set(key, id);
    return id;
  }

  /** Adds a reduction of `value` to the earliest pass that can compute it. */
  accumulate(reduce: ReduceName, dtype: ScalarType, value: ValueId): ValueId {
    const stage = this.ready[value]!;
    while (this.stages.length <= stage) this.stages.push({ accumulators: [] });
    const { accumulators } = this.stages[stage]!;
    const same = accumulators.findIndex((a) => a.reduce === reduce && a.value === value);
    const slot = same >= 0 ? same : accumulators.push({ reduce, dtype, value }) - 1;
    return this.add({ kind: 'accumulator', dtype, stage, slot });
  }

  /** Distinct memory that the kernel touches. */
  memory(): Set<object> {
    const touched = new Set<object>(this.stores.map((store) => memoryOf(store.to)));
    for (const value of this.values)
      if (value.kind === 'load' || value.kind === 'gather') touched.add(memoryOf(value.from));
    return touched;
  }
}

function valueKey(value: DraftValue): string {
  switch (value.kind) {
    case 'constant':
      return `c${value.dtype}${Object.is(value.value, -0) ? '-0' : value.value}`;
    case 'scalar':
      return `s${value.dtype}${value.slot}`;
    case 'index':
      return `i${keyOf(value.at)}/${value.divisor ?? 1}`;
    case 'load':
      return `l${identity(memoryOf(value.from))}@${keyOf(value.at)}?${value.guard}`;
    case 'gather':
      return `g${identity(memoryOf(value.from))}@${keyOf(value.at)}[${value.index}*${value.stride}]?${value.guard}`;
    case 'random':
      return `r${value.dtype}${keyOf(value.counter)}:${value.key.join()}`;
    case 'accumulator':
      return `a${value.stage}.${value.slot}`;
    case 'product':
      return 'p';
    case 'op':
      return `o${value.op}:${value.dtype}(${value.args.join()})`;
  }
}
