/**
 * @file From nodes to the values of one kernel. The walk starts at the kernel's result with the loop axes
 * as its index and pulls that index down through the graph: movement ops change the index, elementwise
 * ops become values, nodes with memory become loads, reductions become accumulators of a row.
 */
import type { ScalarType } from '../dtype.ts';
import { computeType } from '../dtype.ts';
import type { Node, NodeOf } from '../graph/node.ts';
import { contiguousStrides, sizeOf } from '../shape.ts';
import {
  addScaled,
  axisExpr,
  Axis,
  constantExpr,
  delinearize,
  divided,
  greatestCommonDivisor,
  isBijection,
  keyOf,
  leaves,
  linearize,
  reindexed,
  resolve,
  separate,
  type Expr,
} from './affine.ts';
import { Draft } from './draft.ts';
import type { ValueId } from './kernel.ts';
import { moved } from './moved.ts';
import { MOST_TIMES } from './memory-choice.ts';

/** Thrown when a node must be computed by a kernel of its own first. */
export class NeedsMemory {
  readonly node: Node;
  constructor(node: Node) {
    this.node = node;
  }
}

/** What a kernel may load and what it must compute itself. */
export interface LowerContext {
  /** True for nodes whose value is in memory when the kernel runs. */
  readonly hasMemory: (node: Node) => boolean;
  /** Nodes with memory that this kernel computes: inlined and, where `stored`, written. */
  readonly members: ReadonlySet<Node>;
  readonly stored: (node: Node) => boolean;
  readonly slotOf: (node: Node) => number;
}

/** Rows longer than this are reduced by a kernel of their own rather than inside an elementwise one. */
const MAX_FUSED_ROW = 16384;
/** With fewer rows than this a fused row kernel would run on too few threads. */
const MIN_FUSED_ROWS = 8;
const SHORT_ROW = 4096;

type Index = readonly Expr[];

/** Lowers one kernel. */
export class Lowering {
  readonly draft: Draft = new Draft();
  /** Loop axes before splitting, outermost first. */
  readonly axes: readonly Axis[];
  /** The matmul whose product the kernel computes. */
  readonly product: Node | undefined;
  /** The row axes, once a reduction was met. */
  row: readonly Axis[] | undefined;
  private readonly context: LowerContext;
  private readonly memo = new Map<Node, Map<string, ValueId>>();
  private readonly storedNodes = new Set<Node>();
  /** At how many indices each member was computed. */
  private readonly times = new Map<Node, number>();
  private guard: ValueId | undefined;

  constructor(context: LowerContext, loop: readonly number[], product: Node | undefined) {
    this.context = context;
    this.axes = loop.map((size) => new Axis(size));
    this.product = product;
  }

  /** Index of the loop's own point. */
  loopIndex(): Expr[] {
    return this.axes.map(axisExpr);
  }

  /** Computes `root` at `index` and stores it. Throws NeedsMemory. */
  lowerRoot(root: Node, index: Index): void {
    this.member(root, index);
    for (const node of this.context.members)
      if (this.context.stored(node) && !this.storedNodes.has(node)) throw new NeedsMemory(node);
  }

  /** A node this kernel computes although others will load it: inline its value and store it once. */
  private member(node: Node, index: Index): ValueId {
    const times = (this.times.get(node) ?? 0) + 1;
    this.times.set(node, times);
    if (times > MOST_TIMES) throw new NeedsMemory(node);
    const value = this.compute(node, index);
    if (!this.context.stored(node) || this.storedNodes.has(node)) return value;
    const at = linearize(index, node.shape);
    if (!this.covers(at, sizeOf(node.shape))) throw new NeedsMemory(node);
    this.storedNodes.add(node);
    this.draft.stores.push({ to: node, at, value });
    return value;
  }

  /** True when a store at `at` writes each element once: over all loop axes, or once a row. */
  private covers(at: Expr, size: number): boolean {
    const row = new Set(this.row?.flatMap(leaves) ?? []);
    const all = [...new Set([...this.axes, ...(this.row ?? [])].flatMap(leaves))];
    const outer = all.filter((axis) => !row.has(axis));
    return isBijection(at, all, size) || isBijection(at, outer, size);
  }

  private visit(node: Node, index: Index): ValueId {
    const key = `${index.map(keyOf).join('|')}?${this.guard}`;
    const byIndex = this.memo.get(node) ?? new Map<string, ValueId>();
    this.memo.set(node, byIndex);
    const known = byIndex.get(key);
    if (known !== undefined) return known;
    const value = this.resolveNode(node, index);
    byIndex.set(key, value);
    return value;
  }

  private resolveNode(node: Node, index: Index): ValueId {
    if (this.context.members.has(node)) return this.member(node, index);
    if (this.context.hasMemory(node)) return this.load(node, linearize(index, node.shape));
    return this.compute(node, index);
  }

  private load(node: Node, at: Expr): ValueId {
    const dtype = computeType(node.dtype);
    const guard = this.guard;
    const operands = guard === undefined ? [] : [guard];
    const { loops, computed } = separate(at);
    if (computed.length === 0)
      return this.draft.add({ kind: 'load', dtype, from: node, at: loops, guard }, operands);
    // Rows `stride` apart, counted from the lowest address that the computed indices reach.
    const stride = computed.map(([, c]) => Math.abs(c)).reduce(greatestCommonDivisor);
    const lowest = computed.reduce((n, [axis, c]) => n + Math.min(0, c) * (axis.size - 1), 0);
    const highest = computed.reduce((n, [axis, c]) => n + Math.max(0, c) * (axis.size - 1), 0);
    const row = this.sumOf(
      constantExpr(-lowest / stride),
      computed.map(([axis, c]) => [axis, c / stride]),
    );
    const rows = (highest - lowest) / stride + 1;
    const first = { offset: loops.offset + lowest, terms: loops.terms };
    return this.draft.add(
      { kind: 'gather', dtype, from: node, at: first, index: row, stride, rows, guard },
      [row, ...operands],
    );
  }

  private compute(node: Node, index: Index): ValueId {
    const dtype = computeType(node.dtype);
    switch (node.op) {
      case 'buffer':
        return this.load(node, linearize(index, node.shape));
      case 'constant':
        return this.draft.add({ kind: 'constant', dtype, value: node.attrs.value });
      case 'scalar':
        return this.draft.add({ kind: 'scalar', dtype, slot: this.context.slotOf(node) });
      case 'iota':
        return this.index(linearize(index, node.shape));
      case 'random':
        return this.random(node, index);
      case 'elementwise':
        return this.elementwise(node, index);
      case 'detach':
      case 'barrier':
      case 'customGradient':
        return this.visit(node.inputs[0]!, index);
      case 'reshape':
        return this.reshape(node, index);
      case 'permute':
      case 'expand':
      case 'slice':
      case 'shear':
        return this.visit(node.inputs[0]!, moved(node, index));
      case 'pad':
        return this.pad(node, index);
      case 'gather':
        return this.gather(node, index);
      case 'reduce':
        return this.reduce(node, index);
      case 'matmul':
        return this.matmul(node, index);
      case 'scatter':
      case 'argsort':
        throw new NeedsMemory(node);
    }
  }

  private index(at: Expr): ValueId {
    const { loops, computed } = separate(at);
    return this.sumOf(loops, computed);
  }

  /** A loop expression plus multiples of computed indices, as a value. */
  private sumOf(loops: Expr, computed: readonly (readonly [Axis, number])[]): ValueId {
    const terms = computed.map(([axis, c]) => {
      if (c === 1) return axis.value!;
      return this.op('mul', 'i32', [axis.value!, this.integer(constantExpr(c))]);
    });
    if (terms.length === 0) return this.integer(loops);
    const sum = terms.reduce((a, b) => this.op('add', 'i32', [a, b]));
    const zero = loops.offset === 0 && loops.terms.size === 0;
    return zero ? sum : this.op('add', 'i32', [sum, this.integer(loops)]);
  }

  /** A loop expression as a value. */
  private integer(expr: Expr): ValueId {
    if (expr.terms.size > 0) return this.draft.add({ kind: 'index', dtype: 'i32', at: expr });
    return this.draft.add({ kind: 'constant', dtype: 'i32', value: expr.offset });
  }

  private op(
    op: NodeOf<'elementwise'>['attrs']['name'],
    dtype: ScalarType,
    args: ValueId[],
  ): ValueId {
    return this.draft.add({ kind: 'op', op, dtype, args }, args);
  }

  private elementwise(node: NodeOf<'elementwise'>, index: Index): ValueId {
    const args = node.inputs.map((x) => this.visit(x, index));
    const same =
      node.attrs.name === 'cast' && computeType(node.inputs[0]!.dtype) === computeType(node.dtype);
    // f16 ↔ f32 is a matter of storage: the value rounds when it is stored.
    if (same) return args[0]!;
    return this.op(node.attrs.name, computeType(node.dtype), args);
  }

  private random(node: NodeOf<'random'>, index: Index): ValueId {
    const [k0, k1] = node.inputs.map((x) => this.visit(x, [])) as [ValueId, ValueId];
    const counter = this.loopsOnly(linearize(index, node.shape), node);
    const dtype = node.dtype === 'u32' ? 'u32' : 'f32';
    return this.draft.add({ kind: 'random', dtype, counter, key: [k0, k1] }, [k0, k1]);
  }

  private reshape(node: NodeOf<'reshape'>, index: Index): ValueId {
    const input = node.inputs[0]!;
    if (this.context.hasMemory(input) && !this.context.members.has(input))
      return this.load(input, linearize(index, node.shape));
    const inner = reindexed(index, node.shape, input.shape);
    if (!inner) throw new NeedsMemory(input);
    return this.visit(input, inner);
  }

  /** An address that must not hang on computed indices. */
  private loopsOnly(at: Expr, node: Node): Expr {
    const { loops, computed } = separate(at);
    if (computed.length > 0) throw new NeedsMemory(node);
    return loops;
  }

  /** where(inside, x[(index − before) / (interior + 1)], value); x is only read inside. */
  private pad(node: NodeOf<'pad'>, index: Index): ValueId {
    const outer = this.guard;
    let inside = outer;
    const guard = (test: ValueId): void => {
      inside = inside === undefined ? test : this.op('and', 'bool', [inside, test]);
    };
    const inner = index.map((expr, axis) => this.padAxis(node, axis, expr, guard));
    this.guard = inside;
    const value = this.visit(node.inputs[0]!, inner);
    this.guard = outer;
    const dtype = computeType(node.dtype);
    const filler = this.draft.add({ kind: 'constant', dtype, value: node.attrs.value });
    return inside === outer ? value : this.op('where', dtype, [inside!, value, filler]);
  }

  /** The index on one axis of what is padded, and tests that it stands on an element. */
  private padAxis(
    node: NodeOf<'pad'>,
    axis: number,
    expr: Expr,
    guard: (test: ValueId) => void,
  ): Expr {
    const { before, after, interior } = node.attrs;
    const size = node.inputs[0]!.shape[axis]!;
    const step = interior[axis]! + 1;
    const first = constantExpr(before[axis]!);
    const last = constantExpr(before[axis]! + (size - 1) * step);
    if (before[axis]! > 0) guard(this.within(first, expr));
    if (after[axis]! > 0) guard(this.within(expr, last));
    const shifted = addScaled(expr, first, -1);
    const exact = divided(shifted, step);
    if (exact) return exact;
    const at = this.loopsOnly(shifted, node);
    const quotient = this.draft.add({ kind: 'index', dtype: 'i32', at, divisor: step });
    const whole = this.op('mul', 'i32', [quotient, this.integer(constantExpr(step))]);
    guard(this.op('eq', 'bool', [whole, this.integer(at)]));
    return axisExpr(new Axis(size, quotient));
  }

  private within(low: Expr, high: Expr): ValueId {
    return this.op('le', 'bool', [this.index(low), this.index(high)]);
  }

  private gather(node: NodeOf<'gather'>, index: Index): ValueId {
    const [table, indices] = node.inputs as readonly [Node, Node];
    const from = this.tableMemory(table);
    const rank = indices.shape.length;
    const row = this.visit(indices, index.slice(0, rank));
    const [stride] = contiguousStrides(table.shape) as [number];
    const at = this.loopsOnly(
      linearize([constantExpr(0), ...index.slice(rank)], table.shape),
      node,
    );
    const dtype = computeType(table.dtype);
    const rows = table.shape[0]!;
    const guard = this.guard;
    const operands = guard === undefined ? [row] : [row, guard];
    return this.draft.add(
      { kind: 'gather', dtype, from, at, index: row, stride, rows, guard },
      operands,
    );
  }

  /** The node whose memory holds the table: the same elements under another shape do. */
  private tableMemory(table: Node): Node {
    const { hasMemory, members } = this.context;
    let node = table;
    while (node.op === 'reshape' && !hasMemory(node)) node = node.inputs[0]!;
    if (node.op === 'buffer' || (hasMemory(node) && !members.has(node))) return node;
    throw new NeedsMemory(node);
  }

  private matmul(node: Node, index: Index): ValueId {
    const here = linearize(index, node.shape);
    const loop = linearize(this.loopIndex(), node.shape);
    if (this.product !== node || keyOf(here) !== keyOf(loop)) throw new NeedsMemory(node);
    return this.draft.add({ kind: 'product', dtype: 'f32' });
  }

  private reduce(node: NodeOf<'reduce'>, index: Index): ValueId {
    const input = node.inputs[0]!;
    const dims = node.attrs.axes.map((axis) => input.shape[axis]!);
    const reduced = this.rowIndex(node, index, dims);
    let kept = 0;
    let gone = 0;
    const full = input.shape.map((_, axis) =>
      node.attrs.axes.includes(axis) ? reduced[gone++]! : index[kept++]!,
    );
    const body = this.visit(input, full);
    return this.draft.accumulate(node.attrs.name, computeType(node.dtype), body);
  }

  /** Index along the reduced axes as the row runs; opens the row on the first reduction. */
  private rowIndex(node: Node, index: Index, dims: readonly number[]): Expr[] {
    // Inside a pad the row would stop at the guard, which may depend on its axes: then it runs on its own.
    if (this.product || this.guard !== undefined) throw new NeedsMemory(node);
    const used = new Set(index.flatMap((expr) => [...resolve(expr).terms.keys()]));
    this.row ??= this.openRow(node, used, dims);
    const row = this.row.flatMap(leaves);
    const size = row.reduce((n, axis) => n * axis.size, 1);
    if (row.some((axis) => used.has(axis)) || size !== sizeOf(dims)) throw new NeedsMemory(node);
    const linear = linearize(
      row.map(axisExpr),
      row.map((axis) => axis.size),
    );
    const result = delinearize(linear, dims);
    if (!result) throw new NeedsMemory(node);
    return result;
  }

  /** The row is what is left of the loop, or new axes when the loop runs over results only. */
  private openRow(node: Node, used: ReadonlySet<Axis>, dims: readonly number[]): Axis[] {
    const loop = this.axes.flatMap(leaves);
    const rest = loop.filter((axis) => !used.has(axis));
    if (rest.length === 0) return dims.map((size) => new Axis(size));
    const length = rest.reduce((n, axis) => n * axis.size, 1);
    const rows = loop.reduce((n, axis) => n * axis.size, 1) / length;
    const lonely = rows < MIN_FUSED_ROWS && length > SHORT_ROW;
    if (length !== sizeOf(dims) || length > MAX_FUSED_ROW || lonely) throw new NeedsMemory(node);
    return rest;
  }
}
