/** @file A numerical self-test: a few operations on a device against the reference in double precision. */
import {
  openDevice,
  tensor,
  useDevice,
  type Device,
  type Tensor,
  type TypedArray,
} from '@camada/tensor';
import { grad } from '@camada/autograd';
import { Random, seedKey } from '@camada/nn';

/** Outcome of the self-test. */
export interface SelfTest {
  readonly passed: boolean;
  /** Largest error of any element, relative to the largest element of its result (or to 1). */
  readonly maxError: number;
  /** The operations whose error is above the tolerance. */
  readonly failed: readonly string[];
}

/** Errors above this are more than rounding in f32. */
const TOLERANCE = 1e-4;

type Case = (x: Tensor, y: Tensor, z: Tensor) => Tensor;

/** x [48, 64] and y [64, 40] of normal numbers, z [48, 64] of positive ones. */
const CASES: Readonly<Record<string, Case>> = {
  matmul: (x, y) => x.matmul(y),
  'transposed matmul': (x, _y, z) => x.transpose().matmul(z),
  softmax: (x) => x.mul(3).softmax(),
  'layer norm': (x) => x.sub(x.mean(-1, true)).div(x.variance(-1, true).add(1e-5).sqrt()),
  'exp, log, rsqrt': (x, _y, z) => x.exp().add(z.log()).mul(z.rsqrt()),
  'gelu, tanh, sigmoid': (x) => x.gelu().add(x.tanh()).add(x.sigmoid()),
  'sine and cosine': (x) => x.sin().mul(x.cos()),
  'sum and max': (x) => x.sum(0).add(x.max(0)),
  gather: (x) => x.gather(tensor(Int32Array.of(3, 0, 47, 3))),
  gradient: (x, y) => grad(x.matmul(y).softmax().square().sum(), [y])[0]!,
};

/** Runs the self-test; the current device is the tested one afterwards. */
export async function selfTest(tested: Device): Promise<SelfTest> {
  const reference = await openDevice('reference');
  const expected = await results(reference);
  reference.dispose();
  const found = await results(tested);
  const errors = [...expected].map(
    ([name, values]) => [name, error(found.get(name)!, values)] as const,
  );
  const failed = errors.filter(([, size]) => size > TOLERANCE).map(([name]) => name);
  const maxError = Math.max(...errors.map(([, size]) => size));
  return { passed: failed.length === 0, maxError, failed };
}

async function results(target: Device): Promise<Map<string, TypedArray>> {
  useDevice(target);
  const random = new Random(seedKey(1));
  const draw = (rows: number, columns: number, positive = false): Tensor => {
    const values = Float32Array.from({ length: rows * columns }, () => random.normal());
    return tensor(positive ? values.map((v) => Math.abs(v) + 0.1) : values, [rows, columns]);
  };
  const [x, y, z] = [draw(48, 64), draw(64, 40), draw(48, 64, true)];
  const found = new Map<string, TypedArray>();
  for (const [name, compute] of Object.entries(CASES))
    found.set(name, await compute(x, y, z).data());
  return found;
}

/** Largest distance over the largest expected element (or 1); Infinity where an element is missing or no number. */
function error(found: TypedArray, expected: TypedArray): number {
  let [largest, scale] = [0, 1];
  for (const [i, value] of expected.entries()) {
    const away = Math.abs((found[i] ?? NaN) - value);
    if (!Number.isFinite(away)) return Infinity;
    largest = Math.max(largest, away);
    scale = Math.max(scale, Math.abs(value));
  }
  return largest / scale;
}
