/** @file Every elementwise primitive, on every type it takes, over views and broadcasts. */
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { ELEMENTWISE, where, zeros } from '@camada/tensor';
import type { Domain, ElementwiseName, Tensor } from '@camada/tensor';
import { agree } from './compare.ts';
import { DEVICES } from './devices.ts';
import {
  applyViews,
  broadcastOperand,
  runs,
  seeds,
  shapes,
  values,
  viewChains,
} from './generate.ts';

type Typed = 'f32' | 'i32' | 'u32' | 'bool';
type Apply = (x: Tensor, y: Tensor, z: Tensor) => Tensor;

/** Every primitive as a user calls it. The type makes a missing row an error. */
const APPLY: { readonly [N in ElementwiseName]: Apply } = {
  neg: (x) => x.neg(),
  exp: (x) => x.exp(),
  log: (x) => x.log(),
  sqrt: (x) => x.sqrt(),
  rsqrt: (x) => x.rsqrt(),
  reciprocal: (x) => x.reciprocal(),
  sin: (x) => x.sin(),
  cos: (x) => x.cos(),
  tanh: (x) => x.tanh(),
  erf: (x) => x.erf(),
  abs: (x) => x.abs(),
  floor: (x) => x.floor(),
  not: (x) => x.not(),
  add: (x, y) => x.add(y),
  sub: (x, y) => x.sub(y),
  mul: (x, y) => x.mul(y),
  div: (x, y) => x.div(y),
  pow: (x, y) => x.pow(y),
  maximum: (x, y) => x.maximum(y),
  minimum: (x, y) => x.minimum(y),
  lt: (x, y) => x.lt(y),
  le: (x, y) => x.le(y),
  eq: (x, y) => x.eq(y),
  ne: (x, y) => x.ne(y),
  and: (x, y) => x.and(y),
  or: (x, y) => x.or(y),
  where: (c, x, y) => where(c, x, y),
  cast: (x) => x.cast('f32'),
};

interface Row {
  readonly name: ElementwiseName;
  readonly type: Typed;
}

const rows: Row[] = (Object.keys(ELEMENTWISE) as ElementwiseName[]).flatMap((name) =>
  (ELEMENTWISE[name].types as readonly Typed[]).map((type) => ({ name, type })),
);

/** Type of operand i: `where` takes a bool first. */
function operandType(row: Row, i: number): Typed {
  return row.name === 'where' && i === 0 ? 'bool' : row.type;
}

/** The law of one row: operand 0 under a chain of views, the others broadcast to it. */
function property(row: Row, device: (typeof DEVICES)[number]): fc.IAsyncProperty<unknown> {
  const op = ELEMENTWISE[row.name];
  const domains: readonly Domain[] = op.sample;
  const input = fc.record({ shape: shapes(), chain: viewChains(), seed: seeds });
  return fc.asyncProperty(input, async ({ shape, chain, seed }) => {
    const base = values(shape, seed, domains[0], operandType(row, 0));
    const target = targetShape(base.shape, chain);
    const others = domains.slice(1).map((domain, i) => {
      const { stored, arrange } = broadcastOperand(target, seed + i);
      return { arrange, host: values(stored, seed + 7 * i + 3, domain, operandType(row, i + 1)) };
    });
    const law = ([x, ...rest]: Tensor[]): Tensor => {
      // Unsigned differences must not wrap: the oracle computes in f64.
      const lift = row.name === 'sub' && row.type === 'u32' ? x!.add(100) : x!;
      const operands = rest.map((y, i) => others[i]!.arrange(y));
      return APPLY[row.name](applyViews(lift, chain), operands[0]!, operands[1]!);
    };
    const tolerance = row.type === 'f32' ? op.tolerance : 0;
    await agree(device, law, [base, ...others.map((other) => other.host)], tolerance);
  });
}

function targetShape(
  shape: readonly number[],
  chain: Parameters<typeof applyViews>[1],
): readonly number[] {
  return applyViews(zeros(shape), chain).shape;
}

describe.each(DEVICES)('elementwise on %s', (device) => {
  test.each(rows)('$name of $type', async (row) => {
    await fc.assert(property(row, device), runs(8));
  });
});
