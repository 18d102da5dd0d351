/**
 * @file Map kernels that compute much that some inner axes do not change, such as the scales of packed weights: those
 * axes become the innermost loops of strips of 16 lanes, and what they do not change is computed once a strip.
 */
import { bytesPerElement } from '../../dtype.ts';
import { ELEMENTWISE } from '../../ops/elementwise.ts';
import type { Affine, MapKernel, RowKernel, Value } from '../../schedule/kernel.ts';
import { variation } from './emission.ts';
import type { RowPlan } from './row-plan.ts';

/** Simple operations a point that must be saved, or the order of memory is kept. */
const WORTH = 8;
/** Points that share what a strip computes: fewer do not repay it, more walk memory too far. */
const FEWEST = 4;
const MOST = 512;
/** Lanes of a strip. */
const STRIP = 16;

/** The kernel with its points in strips, and how they are run. */
export interface Strips {
  readonly kernel: RowKernel;
  readonly plan: RowPlan;
}

/** Cuts a map into strips where that saves work; undefined where it does not. */
export function asStrips(kernel: MapKernel): Strips | undefined {
  const lanes = kernel.loop.length - 1;
  if (kernel.loop[lanes]! < STRIP || !runsAlong(kernel, lanes)) return undefined;
  const varies = variation(kernel);
  let best: { first: number; saved: number } | undefined;
  let points = 1;
  for (let first = lanes - 1; first >= 0; first--) {
    points *= kernel.loop[first]!;
    if (points > MOST) break;
    const inner = ((1 << lanes) - 1) & ~((1 << first) - 1);
    const saved = kernel.values.reduce((sum, value, id) => {
      const hoisted = (varies[id]! & (1 << lanes)) !== 0 && (varies[id]! & inner) === 0;
      return hoisted ? sum + costOf(kernel, value) : sum;
    }, 0);
    if (points >= FEWEST && saved >= WORTH && saved >= (best?.saved ?? 0)) best = { first, saved };
  }
  return best && strips(kernel, best.first);
}

/** Whether neighbouring lanes read and write neighbours. */
function runsAlong(kernel: MapKernel, lanes: number): boolean {
  const good = ({ strides }: Affine): boolean => strides[lanes] === 0 || strides[lanes] === 1;
  const loads = kernel.values.every((value) => value.kind !== 'load' || good(value.at));
  return loads && kernel.stores.every(({ at }) => at.strides[lanes] === 1);
}

function costOf(kernel: MapKernel, value: Value): number {
  if (value.kind === 'op') return ELEMENTWISE[value.op].cost;
  if (value.kind === 'gather' || value.kind === 'random') return 8;
  if (value.kind !== 'load') return 0;
  return bytesPerElement(kernel.buffers[value.from]!.dtype) === 2 ? 6 : 1;
}

/** Axes from `first` on, but the lanes, become the row; the one that fewest loads follow is its last. */
function strips(kernel: MapKernel, first: number): Strips {
  const lanes = kernel.loop.length - 1;
  const loads = (axis: number): number =>
    kernel.values.filter(
      (value) => 'at' in value && value.kind === 'load' && value.at.strides[axis] !== 0,
    ).length;
  const inner = Array.from({ length: lanes - first }, (_, i) => first + i);
  inner.sort((a, b) => loads(b) - loads(a) || a - b);
  const order = [...Array.from({ length: first }, (_, i) => i), lanes, ...inner];
  const move = (at: Affine): Affine => ({
    offset: at.offset,
    strides: order.map((axis) => at.strides[axis]!),
  });
  const values = kernel.values.map((value): Value => {
    if (value.kind === 'random') return { ...value, counter: move(value.counter) };
    return 'at' in value ? { ...value, at: move(value.at) } : value;
  });
  const loop = order.map((axis) => kernel.loop[axis]!);
  const outer = first + 1;
  return {
    kernel: {
      ...kernel,
      kind: 'row',
      rowAxes: inner.length,
      stages: [],
      loop,
      values,
      stores: kernel.stores.map((store) => ({ ...store, at: move(store.at) })),
    },
    plan: {
      outer,
      length: loop.slice(outer).reduce((product, size) => product * size, 1),
      rowBits: ((1 << loop.length) - 1) & ~((1 << outer) - 1),
      acrossRows: true,
      kept: new Map(),
    },
  };
}
