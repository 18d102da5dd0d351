/**
 * @file Checks `grad` against central differences, in f64 on the reference device:
 * ∂f/∂x ≈ (f(x + h) − f(x − h)) / 2h, whose error is h²/6·f‴ plus rounding of about 1e-16/h.
 */
import { CamadaError, device, isFloat, openDevice, tensor, useDevice } from '@camada/tensor';
import type { DType, Shape, Tensor, TypedArray } from '@camada/tensor';
import { grad } from './grad.ts';

/** Settings of `gradcheck`. */
export interface GradcheckOptions {
  /** h, relative to max(1, |x|). Default 1e-4. */
  readonly step?: number;
  /** Largest |expected − got| / max(1, |expected|) that passes. Default 1e-6. */
  readonly tolerance?: number;
  /** What is checked, for the message. Default: the op that made the result. */
  readonly name?: string;
}

/** What `gradcheck` found. */
export interface GradcheckResult {
  /** Largest |expected − got| / max(1, |expected|). */
  readonly maxError: number;
}

/** Values of one input, outside any device. */
interface Point {
  readonly data: TypedArray;
  readonly shape: Shape;
  readonly dtype: DType;
}

type TensorFunction = (inputs: Tensor[]) => Tensor;

/**
 * Compares the gradients of `f` (any shape of result, of which a fixed weighted sum is taken) at `inputs`
 * with central differences, element by element. Integer and bool inputs stay as they are. The reference
 * device is the current one meanwhile: tensors that `f` closes over must be host data not yet used, or live
 * there. Throws CamadaError with op, input, element, expected and got where they differ or are not numbers.
 */
export async function gradcheck(
  f: TensorFunction,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): Promise<GradcheckResult> {
  const points: Point[] = [];
  for (const input of inputs) points.push(await readPoint(input));
  return onReference(() => compare(f, points, options));
}

/** Runs with the reference device as the current one. */
async function onReference<T>(body: () => Promise<T>): Promise<T> {
  const before = await device();
  if (before.info.backend === 'reference') return body();
  const reference = await openDevice('reference');
  useDevice(reference);
  try {
    return await body();
  } finally {
    reference.dispose();
    useDevice(before);
  }
}

async function readPoint(input: Tensor): Promise<Point> {
  const data = await input.data();
  const float = isFloat(input.dtype);
  return { data: float ? Float64Array.from(data) : data, shape: input.shape, dtype: input.dtype };
}

async function compare(
  f: TensorFunction,
  points: readonly Point[],
  options: GradcheckOptions,
): Promise<GradcheckResult> {
  const { step = 1e-4, tolerance = 1e-6 } = options;
  const analytic = await gradients(f, points);
  let maxError = 0;
  for (const [input, point] of points.entries()) {
    if (!isFloat(point.dtype)) continue;
    for (const [element, x] of point.data.entries()) {
      const h = step * Math.max(1, Math.abs(x));
      const up = await weighted(f, points, input, element, x + h);
      const down = await weighted(f, points, input, element, x - h);
      const expected = (up - down) / (2 * h);
      const got = analytic.values[input]![element]!;
      const error = Math.abs(expected - got) / Math.max(1, Math.abs(expected));
      if (!(error <= tolerance)) {
        const where = `input ${input}, element ${element} (x = ${x})`;
        throw new CamadaError(
          `gradcheck of ${options.name ?? analytic.op}: ${where}: expected ${expected}, got ${got}`,
        );
      }
      maxError = Math.max(maxError, error);
    }
  }
  return { maxError };
}

/** The gradients that `grad` gives, and the op that made f's result. */
async function gradients(
  f: TensorFunction,
  points: readonly Point[],
): Promise<{ values: (TypedArray | undefined)[]; op: string }> {
  const inputs = points.map(toTensor);
  const result = f(inputs);
  const floats = inputs.filter((input) => isFloat(input.dtype));
  const found = grad(weightedSum(result), floats);
  const values: (TypedArray | undefined)[] = [];
  for (const input of inputs) values.push(await found[floats.indexOf(input)]?.data());
  const { node } = result;
  return { values, op: node.op === 'elementwise' ? node.attrs.name : node.op };
}

/** Σ wᵢ·f(…)ᵢ with one element of one input replaced. */
async function weighted(
  f: TensorFunction,
  points: readonly Point[],
  input: number,
  element: number,
  value: number,
): Promise<number> {
  const moved = points.map((point, i) => {
    if (i !== input) return toTensor(point);
    const data = Float64Array.from(point.data);
    data[element] = value;
    return toTensor({ ...point, data });
  });
  return weightedSum(f(moved)).item();
}

function toTensor({ data, shape, dtype }: Point): Tensor {
  return tensor(data, shape, isFloat(dtype) ? 'f32' : dtype);
}

/** Different weights for all elements, so that no two errors cancel. */
function weightedSum(y: Tensor): Tensor {
  const weights = Float64Array.from({ length: y.size }, (_, i) => Math.cos(0.7 * i + 0.3) + 1.5);
  return y.mul(tensor(weights, y.shape)).sum();
}
