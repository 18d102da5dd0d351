/**
 * @file Runs plans kernel by kernel in f64 JavaScript: the meaning of `schedule/kernel.ts`, apart from any
 * code generator. With it a fault is either the scheduler's or the back end's, never in doubt.
 */
import { ELEMENTWISE } from '../../src/ops/elementwise.ts';
import { REDUCTIONS } from '../../src/ops/reduction.ts';
import { uniformAt } from '../../src/philox.ts';
import {
  closure,
  type Affine,
  type Kernel,
  type Value,
  type ValueId,
} from '../../src/schedule/kernel.ts';
import type { Plan } from '../../src/schedule/plan.ts';

type Memory = readonly Float64Array[];

const addressOf = (at: Affine, index: readonly number[]): number =>
  at.strides.reduce((sum, stride, axis) => sum + stride * index[axis]!, at.offset);

interface Point {
  readonly index: readonly number[];
  readonly accumulators: readonly (readonly number[])[];
  readonly product: number;
}

class KernelRun {
  private readonly kernel: Kernel;
  private readonly memory: Memory;
  private readonly scalars: readonly number[];

  constructor(kernel: Kernel, memory: Memory, scalars: readonly number[]) {
    this.kernel = kernel;
    this.memory = memory;
    this.scalars = scalars;
  }

  values(roots: readonly ValueId[], point: Point): Map<ValueId, number> {
    const known = new Map<ValueId, number>();
    for (const id of closure(this.kernel.values, roots))
      known.set(id, this.value(this.kernel.values[id]!, known, point));
    return known;
  }

  private value(value: Value, known: Map<ValueId, number>, point: Point): number {
    const get = (id: ValueId): number => known.get(id)!;
    switch (value.kind) {
      case 'constant':
        return value.value;
      case 'scalar':
        return this.scalars[value.slot]!;
      case 'index':
        return addressOf(value.at, point.index);
      case 'load':
        return this.read(
          value.from,
          addressOf(value.at, point.index),
          value.guard === undefined || get(value.guard) !== 0,
        );
      case 'gather': {
        const row = Math.min(value.rows - 1, Math.max(0, get(value.index)));
        const open = value.guard === undefined || get(value.guard) !== 0;
        return this.read(value.from, addressOf(value.at, point.index) + row * value.stride, open);
      }
      case 'random':
        return uniformAt(addressOf(value.counter, point.index), [
          get(value.key[0]),
          get(value.key[1]),
        ]);
      case 'accumulator':
        return point.accumulators[value.stage]![value.slot]!;
      case 'product':
        return point.product;
      case 'op': {
        const meaning = ELEMENTWISE[value.op].reference as (...x: number[]) => number;
        const result = meaning(...value.args.map(get));
        if (value.op !== 'cast') return result;
        return value.dtype === 'bool'
          ? Number(result !== 0)
          : value.dtype === 'f32'
            ? result
            : Math.trunc(result);
      }
    }
  }

  private read(local: number, address: number, open: boolean): number {
    if (!open) return NaN;
    const data = this.memory[this.kernel.buffers[local]!.id]!;
    if (address < 0 || address >= data.length)
      throw new Error(`address ${address} outside ${data.length}`);
    return data[address]!;
  }

  store(selected: readonly number[], point: Point): void {
    const stores = selected.map((i) => this.kernel.stores[i]!);
    const known = this.values(
      stores.map((s) => s.value),
      point,
    );
    const writes = stores.map(
      (s) => [s.to, addressOf(s.at, point.index), known.get(s.value)!] as const,
    );
    for (const [to, address, value] of writes) {
      const data = this.memory[this.kernel.buffers[to]!.id]!;
      if (address < 0 || address >= data.length)
        throw new Error(`store ${address} outside ${data.length}`);
      data[address] = value;
    }
  }
}

function* points(loop: readonly number[]): Generator<number[]> {
  const total = loop.reduce((n, size) => n * size, 1);
  for (let flat = 0; flat < total; flat++) {
    const index: number[] = [];
    let rest = flat;
    for (let axis = loop.length - 1; axis >= 0; axis--) {
      index.unshift(rest % loop[axis]!);
      rest = Math.floor(rest / loop[axis]!);
    }
    yield index;
  }
}

function runRow(run: KernelRun, kernel: Extract<Kernel, { kind: 'row' }>): void {
  const outer = kernel.loop.slice(0, -kernel.rowAxes);
  const inner = kernel.loop.slice(-kernel.rowAxes);
  const perElement = kernel.stores.map((s) =>
    s.at.strides.slice(outer.length).some((x) => x !== 0),
  );
  const select = (element: boolean): number[] =>
    kernel.stores.flatMap((_, i) => (perElement[i] === element ? [i] : []));
  for (const row of points(outer)) {
    const accumulators: number[][] = [];
    for (const stage of kernel.stages) {
      const totals = stage.accumulators.map((a): number => REDUCTIONS[a.reduce].identity);
      for (const column of points(inner)) {
        const roots = stage.accumulators.map((a) => a.value);
        const known = run.values(roots, { index: [...row, ...column], accumulators, product: NaN });
        stage.accumulators.forEach(
          (a, i) => (totals[i] = REDUCTIONS[a.reduce].reference(totals[i]!, known.get(a.value)!)),
        );
      }
      accumulators.push(totals);
    }
    for (const column of points(inner))
      run.store(select(true), { index: [...row, ...column], accumulators, product: NaN });
    run.store(select(false), {
      index: [...row, ...inner.map(() => 0)],
      accumulators,
      product: NaN,
    });
  }
}

function runMatmul(
  run: KernelRun,
  kernel: Extract<Kernel, { kind: 'matmul' }>,
  memory: Memory,
): void {
  const { a, b } = kernel;
  const left = memory[kernel.buffers[a.from]!.id]!;
  const right = memory[kernel.buffers[b.from]!.id]!;
  const dot = (strides: readonly number[], batch: readonly number[]): number =>
    strides.reduce((sum, s, i) => sum + s * batch[i]!, 0);
  const results: [number[], number][] = [];
  for (const index of points(kernel.loop)) {
    const [m, n] = index.slice(-2) as [number, number];
    const atA = a.offset + dot(a.batch, index) + m * a.row;
    const atB = b.offset + dot(b.batch, index) + n * b.column;
    let sum = 0;
    for (let k = 0; k < kernel.inner; k++)
      sum += left[atA + k * a.column]! * right[atB + k * b.row]!;
    results.push([index, sum]);
  }
  const all = kernel.stores.map((_, i) => i);
  for (const [index, product] of results) run.store(all, { index, accumulators: [], product });
}

function runScatter(kernel: Extract<Kernel, { kind: 'scatter' }>, memory: Memory): void {
  const [index, updates, out] = kernel.buffers.map((b) => memory[b.id]!) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  out.fill(0, 0, kernel.rows * kernel.width);
  for (let n = 0; n < kernel.count; n++) {
    const row = index[n]!;
    if (row < 0 || row >= kernel.rows) continue;
    for (let c = 0; c < kernel.width; c++)
      out[row * kernel.width + c]! += updates[n * kernel.width + c]!;
  }
}

/** Runs a plan over f64 memory, one array a plan buffer. */
export function runPlan(plan: Plan, memory: Memory, scalars: readonly number[]): void {
  for (const kernel of plan.kernels) {
    const run = new KernelRun(kernel, memory, scalars);
    if (kernel.kind === 'row') runRow(run, kernel);
    else if (kernel.kind === 'matmul') runMatmul(run, kernel, memory);
    else if (kernel.kind === 'scatter') runScatter(kernel, memory);
    else
      for (const index of points(kernel.loop))
        run.store(
          kernel.stores.map((_, i) => i),
          { index, accumulators: [], product: NaN },
        );
  }
}
