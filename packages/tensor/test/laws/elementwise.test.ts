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
/** A primitive as a user calls it: the method of its name, but for two. */
function apply(name: ElementwiseName, operands: readonly Tensor[]): Tensor {
  const [x, ...rest] = operands as [Tensor, ...Tensor[]];
  if (name === 'cast') return x.cast('f32');
  if (name === 'where') return where(x, rest[0]!, rest[1]!);
  return (x[name] as (...rest: Tensor[]) => Tensor)(...rest);
}

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
      return apply(row.name, [applyViews(lift, chain), ...operands]);
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
