/** @file Packed weights against gguf-py and bitsandbytes: every code and number, on every device. */
import { grad } from '@camada/autograd';
import { explain, realize, tensor, type Tensor } from '@camada/tensor';
import { describe, expect, it } from 'vitest';
import { dynamicMap } from '../src/quantized/dynamic-map.ts';
import { packedProduct } from '../src/quantized/product.ts';
import { fromBlocks } from '../src/quantized/blocks.ts';
import { quantize } from '../src/quantized/quantize.ts';
import type { QuantizedWeight } from '../src/quantized/weight.ts';
import { DEVICES, goldenJson, on } from './support.ts';

interface Golden {
  readonly blocks: readonly {
    type: string;
    shape: [number, number];
    bytes: string;
    values: string;
  }[];
  readonly nf4: readonly {
    shape: [number, number];
    weight: string;
    values: string;
  }[];
  readonly books: readonly string[];
  readonly int8: { shape: [number, number]; weight: string; codes: string; scales: string };
}

const golden = goldenJson<Golden>('quantized.json');

function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'base64'));
}

function floats(text: string): Float32Array {
  return new Float32Array(bytes(text).buffer);
}

/** Inputs [rows, width] that are no round numbers. */
function inputs(rows: number, width: number): Float32Array {
  return Float32Array.from({ length: rows * width }, (_, i) => Math.sin(1 + 1.7 * i));
}

/** x·Wᵀ in f64. */
function product(
  x: Float32Array,
  w: Float32Array,
  [outputs, width]: readonly [number, number],
): number[] {
  return Array.from({ length: (x.length / width) * outputs }, (_, at) => {
    const [row, out] = [Math.floor(at / outputs), at % outputs];
    let sum = 0;
    for (let k = 0; k < width; k++) sum += x[row * width + k]! * w[out * width + k]!;
    return sum;
  });
}

async function checkWeight(
  weight: QuantizedWeight,
  values: Float32Array,
  tolerance = 0,
): Promise<void> {
  const [outputs, width] = weight.shape;
  const dense = weight.transposed().transpose();
  const chosen = [outputs - 1, 0, 1, 1];
  const rows = weight.rows(tensor(Int32Array.from(chosen), [2, 2]));
  const xs = [1, 3].map((count) => inputs(count, width));
  const dots = xs.map((x) => weight.dot(tensor(x, [x.length / width, width])));
  await realize([dense, rows, ...dots]);
  const found = await dense.data();
  // The largest difference, relative to the number: 0 but where a sum is rounded in another order.
  const off = values.reduce(
    (most, w, i) => Math.max(most, Math.abs(found[i]! - w) / (Math.abs(w) || 1)),
    0,
  );
  expect(off).toBeLessThanOrEqual(tolerance);
  const wanted = chosen.flatMap((row) => [...values.subarray(row * width, (row + 1) * width)]);
  expect([...(await rows.data())].every((w, i) => Math.abs(w - wanted[i]!) <= tolerance)).toBe(
    true,
  );
  expect(rows.shape).toEqual([2, 2, width]);
  for (const [i, x] of xs.entries()) {
    const sums = await dots[i]!.data();
    product(x, values, weight.shape).forEach((y, at) => {
      expect(Math.abs(sums[at]! - y)).toBeLessThan(2e-5 * Math.max(1, Math.abs(y)));
    });
  }
}

describe.each(DEVICES)('packed weights on %s', (device) => {
  it.each(golden.blocks)(
    '$type as gguf-py reads it',
    async ({ type, shape, bytes: packed, values }) => {
      await on(device);
      await checkWeight(fromBlocks({ type, shape, bytes: bytes(packed) }), floats(values));
    },
  );

  it.each(golden.nf4)('nf4 of $shape as bitsandbytes', async ({ shape, weight, values }) => {
    await on(device);
    await checkWeight(quantize('nf4', floats(weight), shape), floats(values), 1e-6);
  });

  it('int8 as bitsandbytes', async () => {
    await on(device);
    const { shape, weight, codes, scales } = golden.int8;
    const signed = new Int8Array(bytes(codes).buffer);
    const steps = floats(scales);
    const values = Float32Array.from(
      signed,
      (q, i) => Math.fround(steps[Math.floor(i / shape[1])]! / 127) * q,
    );
    await checkWeight(quantize('int8', floats(weight), shape), values, 1e-7);
  });
});

it('few rows are one kernel that reads packed words only', async () => {
  await on('wasm');
  const { type, shape, bytes: packed } = golden.blocks[1]!;
  const weight = fromBlocks({ type, shape, bytes: bytes(packed) });
  const text = explain([weight.dot(tensor(inputs(1, shape[1]), [1, shape[1]]))]).split('\n');
  expect(text.filter((line) => line.startsWith('kernel'))).toHaveLength(1);
  expect(text.filter((line) => line.includes('scratch'))).toEqual([]);
  expect(
    text.filter((line) => /^@\d+: input/.test(line)).map((line) => line.split(' ').at(-1)),
  ).toEqual(
    ['f32', 'i32', 'f16', 'f16'], // the row, codes, scales, minima
  );
});

it('a weight of more than 16 MiB of numbers is multiplied in parts', async () => {
  await on('wasm');
  const shape = [8200, 544] as const;
  const weight = quantize(
    'int8',
    Float32Array.from({ length: 8200 * 544 }, (_, i) => Math.sin(i)),
    shape,
  );
  const x = tensor(inputs(5, 544), [5, 544]);
  const y = packedProduct(x, weight);
  const back = grad(y.mul(y).sum(), [x])[0]!;
  const dense = weight.transposed();
  const plain = x.matmul(dense);
  const wanted = grad(plain.mul(plain).sum(), [x])[0]!;
  const kernels = explain([y])
    .split('\n')
    .filter((line) => line.startsWith('kernel'));
  expect(kernels.filter((line) => line.includes('matmul'))).toHaveLength(2);
  const off = async (a: Tensor, b: Tensor): Promise<number> =>
    (await a.sub(b).abs().max().data())[0]! / (await b.abs().max().data())[0]!;
  expect(await off(y, plain)).toBeLessThan(1e-6);
  expect(await off(back, wanted)).toBeLessThan(1e-5);
});

it('the dynamic code books are those of bitsandbytes', () => {
  golden.books.forEach((book, i) => {
    expect(dynamicMap(i === 0)).toEqual(floats(book));
  });
});
