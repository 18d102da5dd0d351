/**
 * @file What is known of each public operation: which types it takes, whether it has a gradient, how far a
 * device may be off, random cases, and its meaning in plain JavaScript. The laws, `selfTest`, the op
 * table in docs/ops.md, the PyTorch goldens and the comparison with other libraries all read this.
 */
import type { DType } from '../dtype.ts';
import type { Tensor } from '../tensor.ts';
import type { Draw } from './draw.ts';
import type { ElementType, HostArray } from './host.ts';

/** One call with its operands. */
export interface OpCase {
  readonly inputs: readonly HostArray[];
  /** The call as a user writes it; the inputs are `x`, `y`, `z`, `w`. */
  readonly call: string;
  readonly run: (inputs: readonly Tensor[]) => Tensor | readonly Tensor[];
  /** The results, computed without the engine. */
  readonly reference: (inputs: readonly HostArray[]) => HostArray | readonly HostArray[];
}

/**
 * How a gradient passes: `smooth` where the derivative exists around what samples draw, `zero` where it
 * is 0 wherever it exists, `none` where asking for it is an error (results that are integers or bools).
 */
export type GradientKind = 'smooth' | 'zero' | 'none';

/** One public operation. */
export interface OpRecord {
  /** Element types of the first operand. */
  readonly dtypes: readonly ElementType[];
  readonly gradient: GradientKind;
  /** Error bound on f32 devices, relative to 1 + |reference|; docs/numerics.md says where it comes from. */
  readonly tolerance: number;
  /** A random case whose first operand has that type. */
  readonly sample: (draw: Draw, dtype: ElementType) => OpCase;
}

/** Names of the methods of `Class` that give tensors, without those of `Base`. */
export type OpName<Class, Base> = Exclude<
  {
    [K in keyof Class]: Class[K] extends (...args: never[]) => infer R
      ? R extends Tensor | readonly Tensor[]
        ? K
        : never
      : never;
  }[keyof Class],
  keyof Base
> &
  string;

/** A record for every method that `Class` adds to `Base`. */
export type Records<Class, Base> = Readonly<Record<OpName<Class, Base>, OpRecord>>;

/** Any float, and the integers. */
export const NUMERIC: readonly ElementType[] = ['f32', 'i32', 'u32'];
/** Floats alone. */
export const FLOAT: readonly ElementType[] = ['f32'];
/** Every element type. */
export const ANY: readonly ElementType[] = ['f32', 'i32', 'u32', 'bool'];

const NAMES = ['x', 'y', 'z', 'w'] as const;

/** A case as lines that a user can paste: the inputs, then the call. */
export function reproduction({ inputs, call }: OpCase): string {
  const lines = inputs.map(
    ({ data, shape, dtype }, i) =>
      `const ${NAMES[i]} = tensor([${data.join(', ')}], [${shape.join(', ')}], '${dtype}');`,
  );
  return `${lines.join(' ')} ${call}`;
}

/** The element type of a result in host arrays: 16-bit floats read back as f32. */
export function elementType(dtype: DType): ElementType {
  return dtype === 'f16' || dtype === 'bf16' ? 'f32' : dtype;
}
