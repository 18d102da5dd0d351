/**
 * @file The self-test of a device: every public operation on a small case of the catalogue against its plain meaning,
 * then larger programs against the f64 interpreter.
 */
import { CATALOGUE, Draw, elementType, reproduction } from '../catalogue/index.ts';
import type { ElementType, OpCase, OpRecord } from '../catalogue/index.ts';
import { tensor } from '../create.ts';
import { currentDevice, device, openDevice, useDevice, type Device } from '../device.ts';
import type { TypedArray } from '../dtype.ts';
import { uniformAt } from '../philox.ts';
import { sameShape, type Shape } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { PROGRAMS } from './programs.ts';

/** An operation or program that a device computes wrongly. */
export interface Fault {
  /** Name of the operation or program. */
  readonly op: string;
  /** Type of its first operand. */
  readonly dtype: ElementType;
  /** Largest distance from the right value, relative to 1 + its size; Infinity where a NaN or a shape is wrong. */
  readonly error: number;
  /** What the distance may be. */
  readonly bound: number;
  /** What was computed: code that shows the fault, or what the device said. */
  readonly detail: string;
}

/** Outcome of a self-test. */
export interface SelfTest {
  readonly passed: boolean;
  /** Operations and programs checked. */
  readonly checked: number;
  /** Largest error of those of floats that passed, relative to 1 + the size of the right value. */
  readonly maxError: number;
  readonly faults: readonly Fault[];
  readonly milliseconds: number;
}

/** What the self-test may take. */
export interface SelfTestOptions {
  /** Seed of shapes and values. @defaultValue 1 */
  readonly seed?: number;
  /**
   * Milliseconds after which further element types of operations are left out; each operation is tested in
   * one type in any case. @defaultValue 500
   */
  readonly milliseconds?: number;
}

/** Elements of an operand of a small case. */
const SMALL = 64;
/** Most draws for a case that is not trivial. */
const DRAWS = 8;
/** Error bound of the programs, relative to 1 + the right value. */
const PROGRAM_BOUND = 1e-4;

/** One thing to check: what to run and what it should give. */
interface Check {
  readonly op: string;
  readonly dtype: ElementType;
  readonly bound: number;
  readonly detail: string;
  readonly run: () => Tensor[];
  readonly expected: readonly Expected[];
}

interface Expected {
  readonly shape: Shape;
  readonly dtype: ElementType;
  readonly data: ArrayLike<number>;
}

interface Result {
  readonly check: Check;
  readonly error: number;
  readonly detail: string;
}

/**
 * Tests a device, the current one by default; it is not current afterwards unless it was before. Never throws for what
 * the device does wrong: that is a fault in the result.
 */
export async function selfTest(tested?: Device, options: SelfTestOptions = {}): Promise<SelfTest> {
  const before = currentDevice();
  const target = tested ?? (await device());
  const { seed = 1, milliseconds = 500 } = options;
  const began = performance.now();
  const results: Result[] = [];
  for (const check of await programs(seed)) results.push(await errorOf(target, check));
  const records = [...CATALOGUE].map(([op, record], i) => ({ op, record, seed: seed + DRAWS * i }));
  for (const { op, record, seed: own } of records)
    results.push(await errorOf(target, smallCase(op, record, record.dtypes[0]!, own)));
  for (const { op, record, seed: own } of records)
    for (const dtype of record.dtypes.slice(1))
      if (performance.now() - began < milliseconds)
        results.push(await errorOf(target, smallCase(op, record, dtype, own)));
  if (before) useDevice(before);
  return outcome(results, performance.now() - began);
}

function outcome(results: readonly Result[], milliseconds: number): SelfTest {
  const wrong = results.filter(({ error, check }) => !(error <= check.bound));
  const faults = wrong.map(({ error, check: { op, dtype, bound }, detail }) => ({
    op,
    dtype,
    error,
    bound,
    detail,
  }));
  const fine = results.filter(({ error, check }) => check.dtype === 'f32' && error <= check.bound);
  const maxError = Math.max(0, ...fine.map(({ error }) => error));
  return { passed: faults.length === 0, checked: results.length, maxError, faults, milliseconds };
}

function smallCase(op: string, record: OpRecord, dtype: ElementType, seed: number): Check {
  const drawn = drawFilled(record, dtype, seed);
  return {
    op,
    dtype,
    bound: dtype === 'f32' ? record.tolerance : 0,
    detail: reproduction(drawn),
    run: () => [drawn.run(drawn.inputs.map((x) => tensor(x.data, x.shape, x.dtype)))].flat(),
    expected: [drawn.reference(drawn.inputs)].flat(),
  };
}

/** Draws a case with something in it, if that takes few draws: samples like empty tensors. */
function drawFilled(record: OpRecord, dtype: ElementType, seed: number): OpCase {
  let drawn = record.sample(Draw.seeded(seed, SMALL), dtype);
  for (let i = 1; i < DRAWS && drawn.inputs.some(({ data }) => data.length < 2); i++)
    drawn = record.sample(Draw.seeded(seed + i, SMALL), dtype);
  return drawn;
}

/** The larger programs, with what the f64 interpreter makes of them. */
async function programs(seed: number): Promise<Check[]> {
  const reference = await openDevice('reference');
  useDevice(reference);
  const checks: Check[] = [];
  for (const [op, program] of Object.entries(PROGRAMS)) {
    const run = (): Tensor[] => [program(...operands(seed))];
    const [result] = run() as [Tensor];
    const { shape, dtype } = result;
    const expected = [{ shape, dtype: elementType(dtype), data: await result.data() }];
    checks.push({
      op,
      dtype: 'f32',
      bound: PROGRAM_BOUND,
      detail: program.toString(),
      run,
      expected,
    });
  }
  reference.dispose();
  return checks;
}

/** The operands of the programs. */
function operands(seed: number): [Tensor, Tensor, Tensor] {
  const draw = (shape: [number, number], stream: number): Float32Array =>
    Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => uniformAt(i, [seed, stream]));
  const centred = (data: Float32Array): Float32Array => data.map((u) => 4 * u - 2);
  return [
    tensor(centred(draw([96, 160], 1)), [96, 160]),
    tensor(centred(draw([160, 72], 2)), [160, 72]),
    tensor(
      draw([96, 160], 3).map((u) => u + 0.1),
      [96, 160],
    ),
  ];
}

/** How far a device is off. */
async function errorOf(target: Device, check: Check): Promise<Result> {
  useDevice(target);
  try {
    const results = check.run();
    let error = 0;
    for (const [i, want] of check.expected.entries()) {
      const { shape, dtype } = results[i]!;
      const same = sameShape(shape, want.shape) && elementType(dtype) === want.dtype;
      error = Math.max(error, same ? distance(await results[i]!.data(), want.data) : Infinity);
    }
    return { check, error, detail: check.detail };
  } catch (error) {
    return { check, error: Infinity, detail: String(error) };
  }
}

/** Largest distance, relative to 1 + the expected size. */
function distance(found: TypedArray, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < found.length; i++) {
    const [got, want] = [found[i]!, expected[i]!];
    if (Object.is(got, want) || got === want) continue;
    const away = Math.abs(got - want) / (1 + Math.abs(want));
    if (Number.isNaN(away) || away === Infinity) return Infinity;
    largest = Math.max(largest, away);
  }
  return largest;
}
