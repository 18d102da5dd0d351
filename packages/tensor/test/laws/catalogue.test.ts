/**
 * @file Every public operation on every device against its plain meaning, over random shapes with zeros and
 * ones in them, odd sizes and strided, offset and repeated operands. A failure shrinks to one line.
 */
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { CATALOGUE, Draw, elementType, reproduction } from '@camada/tensor/catalogue';
import type { ElementType, HostArray, OpCase } from '@camada/tensor/catalogue';
import { difference } from './compare.ts';
import { DEVICES, on } from './devices.ts';
import { runs } from './generate.ts';
import { hide } from './hidden.ts';

const rows = [...CATALOGUE].flatMap(([name, record]) =>
  record.dtypes.map((dtype) => ({ name, dtype, record })),
);

/** Runs a case with hidden operands and throws a reproduction where the results differ. */
async function check(drawn: OpCase, draw: Draw, tolerance: number): Promise<void> {
  const hidden = drawn.inputs.map((x) => hide(draw, x));
  const inputs = hidden.map(({ seen }) => seen);
  const outputs = [drawn.run(hidden.map(({ make }) => make()))].flat();
  const expected = [drawn.reference(inputs)].flat() as HostArray[];
  for (const [i, output] of outputs.entries()) {
    const dtype = elementType(output.dtype);
    const got = { shape: output.shape, dtype, data: await output.data() };
    const want = expected[i]!;
    const wrong = difference({ ...want, data: Float64Array.from(want.data) }, got, tolerance);
    if (wrong) throw new Error(`${wrong}\n${reproduction({ ...drawn, inputs })}`);
  }
}

/** Integers are exact. */
function bound(dtype: ElementType, tolerance: number): number {
  return dtype === 'f32' ? tolerance : 0;
}

describe.each([...DEVICES, 'reference'] as const)('catalogue on %s', (device) => {
  test.each(rows)('$name of $dtype', async ({ record, dtype }) => {
    await on(device);
    const law = fc.asyncProperty(fc.gen(), async (gen) => {
      const draw = new Draw((min, max) => gen(fc.integer, { min, max }));
      await check(record.sample(draw, dtype), draw, bound(dtype, record.tolerance));
    });
    await fc.assert(law, runs(device === 'webgpu' ? 5 : 12));
  });
});
