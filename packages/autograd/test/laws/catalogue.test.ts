/**
 * @file The gradient of every public operation: in f64 J and Jᵀ are adjoint, and the first and second directional
 * derivatives equal central differences; on every device both equal the f64 ones; where an op has no gradient,
 * asking for it is an error.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isFloat, tensor, type Tensor } from '@camada/tensor';
import { CATALOGUE, Draw, reproduction } from '@camada/tensor/catalogue';
import type { HostArray, OpCase } from '@camada/tensor/catalogue';
import { DEVICES, on } from '../../../tensor/test/laws/devices.ts';
import { runs } from '../../../tensor/test/laws/generate.ts';
import { grad, jvp } from '../../src/index.ts';

const rows = [...CATALOGUE]
  .filter(([, record]) => record.dtypes.includes('f32'))
  .map(([name, record]) => ({ name, record }));

/** Elements of the arrays drawn: enough for every stride, few enough for differences. */
const SMALL = 24;

/** Numbers in [0.5, 1.5) with both signs, different for each place and `kind`. */
function weights(size: number, kind: number): Float64Array {
  return Float64Array.from({ length: size }, (_, i) => {
    const u = Math.abs(Math.sin(12.9898 * (i + 1) + 78.233 * kind) * 43758.5453) % 1;
    return (0.5 + u) * (i % 2 === 0 ? 1 : -1);
  });
}

/** The float inputs of a case, moved by `h` along fixed directions. */
function inputsAt({ inputs }: OpCase, h: number): Tensor[] {
  return inputs.map(({ data, shape, dtype }, k) => {
    if (dtype !== 'f32') return tensor([...data], shape, dtype);
    const v = weights(data.length, k);
    return tensor(
      Float64Array.from(data, (x, i) => x + h * v[i]!),
      shape,
    );
  });
}

/** Σ over outputs and elements of weight times value. */
function weighted(outputs: readonly Tensor[], kind: number): Tensor {
  return outputs
    .filter((y) => isFloat(y.dtype))
    .map((y, i) => y.mul(tensor(weights(y.size, kind + i), y.shape)).sum())
    .reduce((a, b) => a.add(b));
}

const floats = (tensors: readonly Tensor[]): Tensor[] => tensors.filter((x) => isFloat(x.dtype));

/** f, ⟨∇f, v⟩ and ⟨∇⟨∇f, w⟩, v⟩ at the inputs moved by `h`. */
function derivatives(drawn: OpCase, h: number): Tensor[] {
  const inputs = inputsAt(drawn, h);
  const wrt = floats(inputs);
  const along = (g: readonly Tensor[], direction: readonly HostArray[]): Tensor =>
    g
      .map((x, i) =>
        x.mul(tensor(weights(x.size, drawn.inputs.indexOf(direction[i]!)), x.shape)).sum(),
      )
      .reduce((a, b) => a.add(b));
  const directions = drawn.inputs.filter(({ dtype }) => dtype === 'f32');
  const f = weighted([drawn.run(inputs)].flat(), 7);
  const first = grad(f, wrt);
  const g = weighted(first, 11);
  const second = grad(g, wrt);
  return [f, along(first, directions), g, along(second, directions)];
}

async function numbers(tensors: readonly Tensor[]): Promise<number[]> {
  const found: number[] = [];
  for (const x of tensors) found.push(await x.item());
  return found;
}

/** ⟨u, J·v⟩ by the forward product, for the weights u and the directions v of `derivatives`. */
async function forwardProduct(drawn: OpCase): Promise<number> {
  const inputs = inputsAt(drawn, 0);
  const directions = drawn.inputs.flatMap(({ data, shape, dtype }, k) =>
    dtype === 'f32' ? [tensor(weights(data.length, k), shape)] : [],
  );
  const outputs = floats([drawn.run(inputs)].flat());
  const tangents = outputs.map((y) => jvp(() => y, floats(inputs), directions).tangent);
  return weighted(tangents, 7).item();
}

/** Throws unless the derivatives equal central differences, and ⟨v, Jᵀ·u⟩ = ⟨J·v, u⟩. */
async function checkDifferences(drawn: OpCase): Promise<void> {
  const h = 1e-4;
  const [, first, , second] = await numbers(derivatives(drawn, 0));
  expectClose(await forwardProduct(drawn), first!, 1e-9, `J·v of ${reproduction(drawn)}`);
  const [upF, , upG] = await numbers(derivatives(drawn, h));
  const [downF, , downG] = await numbers(derivatives(drawn, -h));
  expectClose(
    first!,
    (upF! - downF!) / (2 * h),
    1e-5,
    `first derivative of ${reproduction(drawn)}`,
  );
  expectClose(
    second!,
    (upG! - downG!) / (2 * h),
    1e-5,
    `second derivative of ${reproduction(drawn)}`,
  );
}

function expectClose(got: number, expected: number, tolerance: number, what: string): void {
  const away = Math.abs(got - expected) / (1 + Math.abs(expected));
  if (!(away <= tolerance)) throw new Error(`${what}: got ${got}, expected ${expected}`);
}

const ofKind = (kind: string): typeof rows => rows.filter(({ record }) => record.gradient === kind);

function property(
  record: (typeof rows)[number]['record'],
  check: (drawn: OpCase) => Promise<void>,
): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(fc.gen(), async (gen) => {
    const draw = new Draw((min, max) => gen(fc.integer, { min, max }), SMALL);
    const drawn = record.sample(draw, 'f32');
    if (drawn.inputs.some(({ dtype }) => dtype === 'f32')) await check(drawn);
  });
}

describe('catalogue gradients in f64', () => {
  test.each(ofKind('smooth'))('$name equals central differences, twice', async ({ record }) => {
    await on('reference');
    await fc.assert(property(record, checkDifferences), runs(6));
  });

  test.each(ofKind('zero'))('$name has gradient zero', async ({ record }) => {
    await on('reference');
    const law = property(record, async (drawn) => {
      const inputs = inputsAt(drawn, 0);
      const loss = weighted([drawn.run(inputs)].flat(), 7);
      for (const g of grad(loss, floats(inputs)))
        expect((await g.data()).every((x) => x === 0)).toBe(true);
    });
    await fc.assert(law, runs(2));
  });

  test.each(ofKind('none'))('$name refuses a gradient', async ({ record }) => {
    await on('reference');
    const law = property(record, async (drawn) => {
      const inputs = inputsAt(drawn, 0);
      const result = [drawn.run(inputs)].flat()[0]!;
      if (result.size > 0 && inputs.every((x) => x.size > 0))
        expect(() => grad(result.cast('f32').sum(), floats(inputs))).toThrow(/gradient/);
      await Promise.resolve();
    });
    await fc.assert(law, runs(2));
  });
});

describe.each(DEVICES)('catalogue gradients on %s', (device) => {
  test.each(ofKind('smooth'))('$name equals f64', async ({ record }) => {
    const law = property(record, async (drawn) => {
      await on('reference');
      const expected = await numbers(derivatives(drawn, 0));
      await on(device);
      const got = await numbers(derivatives(drawn, 0));
      got.forEach((value, i) =>
        expectClose(value, expected[i]!, 1e-3, `derivative ${i} of ${reproduction(drawn)}`),
      );
    });
    await fc.assert(law, runs(device === 'webgpu' ? 2 : 4));
  });
});
