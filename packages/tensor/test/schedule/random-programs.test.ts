/**
 * @file Random programs through the scheduler: graphs with shared values, views of views, reductions, products, updates
 * in place and several outputs, cut for devices with few and many buffers. Every plan, run kernel by kernel
 * in f64, must give what the graph interpreter gives.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { concat, tensor, where, zeros } from '../../src/create.ts';
import type { Node } from '../../src/graph/node.ts';
import type { Wanted } from '../../src/graph/trace.ts';
import type { Tensor } from '../../src/tensor.ts';
import { checkPlan } from './check-plan.ts';

/** A source of choices, from fast-check's integers: shrinks towards short, plain programs. */
class Choices {
  private readonly numbers: readonly number[];
  private next = 0;

  constructor(numbers: readonly number[]) {
    this.numbers = numbers;
  }

  below(n: number): number {
    const number = this.numbers[this.next++ % this.numbers.length]!;
    return number % n;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

const SHAPES = [[4, 6], [6, 4], [2, 3, 4], [4, 3, 2], [24], [1, 6], [4, 1], [12, 16], []] as const;

function leaf(choices: Choices): Tensor {
  const shape = choices.of(SHAPES);
  const size = shape.reduce((n: number, s) => n * s, 1);
  const start = choices.below(97);
  return tensor(
    Float64Array.from({ length: size }, (_, i) => Math.sin(start + 1.7 * i)),
    shape,
  );
}

type Step = (pool: readonly Tensor[], choices: Choices) => Tensor;

const unary: readonly ((x: Tensor) => Tensor)[] = [
  (x) => x.tanh(),
  (x) => x.sin().add(0.5),
  (x) => x.square().add(1).sqrt(),
  (x) => x.gelu(),
  (x) => x.relu(),
];

const steps: readonly Step[] = [
  (pool, c) => c.of(unary)(c.of(pool)),
  (pool, c) => {
    const [a, b] = [c.of(pool), c.of(pool)];
    const fits = broadcasts(a, b);
    return c.below(2) === 0 || !fits ? a.mul(0.7) : a.mul(b).add(0.1);
  },
  (pool, c) => {
    const x = c.of(pool);
    if (x.rank === 0) return x.neg();
    const axis = c.below(x.rank);
    return c.of([
      (): Tensor => x.sum(axis, true),
      () => x.max(axis),
      () => x.mean(axis, true).sub(x),
      () => x.softmax(axis),
      () => x.variance(axis),
    ])();
  },
  (pool, c) => {
    const x = c.of(pool);
    return x.rank < 2 ? x.add(1) : x.transpose(c.below(x.rank), c.below(x.rank));
  },
  (pool, c) => {
    const x = c.of(pool);
    const shape = SHAPES.find(
      (s) => s.reduce((n: number, k) => n * k, 1) === x.size && (s.length !== x.rank || c.below(2)),
    );
    return shape ? x.reshape(shape) : x.flatten();
  },
  (pool, c) => {
    const x = c.of(pool);
    if (x.rank === 0) return x;
    const axis = c.below(x.rank);
    return c.below(2)
      ? concat([x, x.mul(2)], axis)
      : x.slice(axis, 0, Math.max(1, x.shape[axis]! - 1));
  },
  (pool, c) => {
    const x = c.of(pool);
    if (x.rank < 2) return x.mul(x);
    const other = pool.find((y) => y.rank === 2 && y.shape[0] === x.shape.at(-1));
    return other && other.size < 400 ? x.matmul(other) : x.matmul(x.transpose());
  },
  (pool, c) => {
    const x = c.of(pool);
    if (x.rank === 0) return x.add(2);
    return x.pad(
      x.shape.map(() => c.below(2)),
      x.shape.map(() => c.below(2)),
      0.25,
      x.shape.map(() => (c.below(3) === 0 ? 1 + c.below(2) : 0)),
    );
  },
  (pool, c) => {
    const x = c.of(pool);
    if (x.rank === 0) return x.neg();
    const axis = c.below(x.rank);
    if (c.below(2)) return x.slice(axis, c.below(x.shape[axis]!), undefined, 1 + c.below(3));
    return x.slice(axis, -1 - c.below(x.shape[axis]!), undefined, -1 - c.below(2));
  },
  (pool, c) => {
    const x = c.of(pool);
    if (x.rank < 2) return x.mul(3);
    const axis = c.below(x.rank);
    const along = (axis + 1) % x.rank;
    const by = c.of([1, -1, 2, -2]);
    const fits = Math.abs(by) * (x.shape[along]! - 1) < x.shape[axis]!;
    return fits ? x.shear(axis, along, by) : x.flip(axis);
  },
  (pool, c) => {
    const x = c.of(pool);
    if (x.rank !== 2) return where(x.gt(0), x, x.mul(0.5));
    const ids = tensor(Int32Array.from({ length: x.shape[0]! }, (_, i) => (i * 2) % 3));
    return c.below(2) ? zeros([3, x.shape[1]!]).indexAdd(0, ids.add(0), x) : x.gather(ids.add(0));
  },
];

function broadcasts(a: Tensor, b: Tensor): boolean {
  return a.shape.every((n, i) => {
    const m = b.shape.at(i - a.rank) ?? 1;
    return b.rank - a.rank + i < 0 || n === m || n === 1 || m === 1;
  });
}

/** A program: leaves, steps, and what is wanted of it; some leaves are updated. */
function program(numbers: readonly number[], length: number): Wanted[] {
  const choices = new Choices(numbers);
  const leaves = Array.from({ length: 3 }, () => leaf(choices));
  const pool = [...leaves];
  for (let i = 0; i < length; i++) {
    const made = choices.of(steps)(pool, choices);
    if (made.size > 0 && made.size <= 2000) pool.push(made);
  }
  const wanted: Wanted[] = [{ node: pool.at(-1)!.node, replaces: undefined }];
  if (choices.below(2)) wanted.push({ node: choices.of(pool).node, replaces: undefined });
  for (const target of leaves) {
    const value = pool.find(
      (x) => x !== target && x.shape.join() === target.shape.join() && !leaves.includes(x),
    );
    if (!value || choices.below(2)) continue;
    const storage = (target.node as Extract<Node, { op: 'buffer' }>).attrs.storage;
    wanted.push({ node: target.sub(value.mul(0.1)).node, replaces: storage });
  }
  return wanted;
}

it('plans of random programs compute what the graph says', () => {
  const numbers = fc.array(fc.nat(1 << 20), { minLength: 24, maxLength: 80 });
  const runs = Number(process.env['CAMADA_FUZZ'] ?? 300);
  fc.assert(
    fc.property(
      numbers,
      fc.integer({ min: 3, max: 22 }),
      fc.constantFrom(5, 7, 12),
      (list, length, limit) => {
        const { plan, worst } = checkPlan(program(list, length), limit);
        for (const kernel of plan.kernels) expect(kernel.buffers.length).toBeLessThanOrEqual(limit);
        expect(worst).toBeLessThan(1e-9);
      },
    ),
    { numRuns: runs, ...(process.env['CAMADA_FUZZ'] ? {} : { seed: 7 }) },
  );
});
