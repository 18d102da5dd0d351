/**
 * @file Values and gradients of every public operation against PyTorch's, written by `tools/oracle/catalogue.py`
 * for calls drawn from the catalogue. What PyTorch lacks is listed here, with the reason.
 */
import { readFileSync } from 'node:fs';
import * as camada from '@camada/tensor';
import type { Tensor } from '@camada/tensor';
import { CATALOGUE, FAMILIES } from '@camada/tensor/catalogue';
import type { HostArray } from '@camada/tensor/catalogue';
import { describe, expect, test } from 'vitest';
import { grad } from '../src/index.ts';
import { on } from '../../tensor/test/laws/devices.ts';

interface Golden {
  readonly call: string;
  readonly inputs: readonly HostArray[];
  readonly outputs: readonly (readonly number[])[];
  readonly gradients?: readonly (readonly number[])[];
}

/** Operations without a counterpart in PyTorch, and why. */
const NOT_IN_PYTORCH: Readonly<Record<string, string>> = {
  scatter:
    'PyTorch leaves open which of several updates of one place stays, and gives each the gradient',
  ...Object.fromEntries(
    Object.keys(FAMILIES['random']!).map((name) => [name, 'PyTorch draws other numbers']),
  ),
};

function goldensOf(family: string): Record<string, Golden[]> {
  const path = new URL(`./golden/catalogue/${family}.json`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')) as Record<string, Golden[]>;
}

/** Runs the text of a call with the library's functions and the inputs in scope. */
function evaluate(call: string, inputs: readonly Tensor[]): Tensor[] {
  const scope: Record<string, unknown> = { ...camada };
  ['x', 'y', 'z', 'w'].forEach((name, i) => (scope[name] = inputs[i]));
  // The text is our own catalogue's.
  // oxlint-disable-next-line typescript/no-implied-eval
  const run = new Function(...Object.keys(scope), `return ${call};`) as (
    ...values: unknown[]
  ) => Tensor | Tensor[];
  return [run(...Object.values(scope))].flat();
}

/** Largest |got − expected| / (1 + |expected|); a missing number counts as infinite. */
function distance(got: ArrayLike<number>, expected: readonly number[]): number {
  if (got.length !== expected.length) return Infinity;
  const errors = expected.map((e, i) => Math.abs(got[i]! - e) / (1 + Math.abs(e)));
  return errors.reduce((worst, e) => Math.max(worst, Number.isNaN(e) ? Infinity : e), 0);
}

async function check(golden: Golden): Promise<void> {
  const inputs = golden.inputs.map(({ data, shape, dtype }) =>
    camada.tensor([...data], shape, dtype),
  );
  const outputs = evaluate(golden.call, inputs);
  const floats = inputs.filter((x) => camada.isFloat(x.dtype));
  const gradients = golden.gradients ? grad(weighted(outputs), floats) : [];
  for (const [i, y] of outputs.entries())
    expect(distance(await y.data(), golden.outputs[i]!), golden.call).toBeLessThan(1e-5);
  for (const [i, g] of gradients.entries())
    expect(distance(await g.data(), golden.gradients![i]!), golden.call).toBeLessThan(1e-4);
}

/** Σ (1 + i mod 3)·yᵢ over the elements of all float outputs. */
function weighted(outputs: readonly Tensor[]): Tensor {
  return outputs
    .filter((y) => camada.isFloat(y.dtype))
    .map((y) => {
      const weights = Float32Array.from({ length: y.size }, (_, i) => 1 + (i % 3));
      return y.mul(camada.tensor(weights, y.shape)).sum();
    })
    .reduce((a, b) => a.add(b));
}

const COMPARED = Object.keys(FAMILIES).filter(
  (family) => Object.keys(goldensOf(family)).length > 0,
);

describe.each(COMPARED)('PyTorch: %s', (family) => {
  test.each(Object.entries(goldensOf(family)))('%s', async (_name, goldens) => {
    await on('wasm');
    for (const golden of goldens) await check(golden);
  });
});

test('every operation has a golden, or a reason', () => {
  const known = new Set(Object.keys(FAMILIES).flatMap((family) => Object.keys(goldensOf(family))));
  const missing = [...CATALOGUE.keys()].filter((name) => !known.has(name));
  expect(missing.sort()).toEqual(Object.keys(NOT_IN_PYTORCH).sort());
});
