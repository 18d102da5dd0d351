/** @file What an elementwise primitive is, and short ways to write one down. */
import type { ScalarType } from '../dtype.ts';

/** Where an op is defined and smooth; tests draw inputs from it. */
export type Domain =
  | 'real'
  | 'positive'
  | 'nonzero'
  | 'small'
  /** Between −1 and 1. */
  | 'unit'
  /** Above 1. */
  | 'aboveOne'
  | 'integer'
  | 'bool'
  | 'any';

/** One elementwise primitive. */
export interface ElementwiseOp {
  readonly arity: 1 | 2 | 3;
  /** Result type: that of the (last) operand, or always bool, or the type named at the call. */
  readonly result: 'same' | 'bool' | 'attr';
  /** Types its operands may have. `where` takes a bool first. */
  readonly types: readonly ScalarType[];
  /** Meaning in f64. Bools are 0 and 1. */
  readonly reference: (...x: number[]) => number;
  /** Meaning on i32 and u32, modulo 2³², where it is not the same formula. */
  readonly integer?: (...x: number[]) => number;
  /** Meaning in WGSL for operand texts `x`; `dtype` is the result's, `from` the first operand's. */
  readonly wgsl: (x: readonly string[], dtype: ScalarType, from: ScalarType) => string;
  /** Inputs that tests draw, one for each operand. */
  readonly sample: readonly Domain[];
  /** Error bound on f32 devices, relative to 1 + |reference|; see docs/numerics.md. */
  readonly tolerance: number;
  /** True where the derivative exists and is used. */
  readonly smooth: boolean;
  /** Time it takes, in simple operations like a sum; 4 or more is about a load, 8 or more a transcendental. */
  readonly cost: number;
}

/** What a record may say otherwise than usual: 1e-6 off at most, smooth, as cheap as a sum. */
export type Details = Partial<
  Pick<ElementwiseOp, 'integer' | 'sample' | 'tolerance' | 'smooth' | 'cost' | 'result'>
>;

/** Floats and integers. */
export const NUMERIC: readonly ScalarType[] = ['f32', 'i32', 'u32'];
/** Floats. */
export const FLOAT: readonly ScalarType[] = ['f32'];
/** Integers. */
export const INTEGER: readonly ScalarType[] = ['i32', 'u32'];
/** What has bits to combine. */
export const BITS: readonly ScalarType[] = ['bool', 'i32', 'u32'];
/** Every type. */
export const ANY: readonly ScalarType[] = ['f32', 'i32', 'u32', 'bool'];

/** Of a result that is a choice, a comparison or a rounding: exact, with no derivative to speak of. */
export const EXACT: Details = { tolerance: 0, smooth: false };

/** WGSL of one operand. */
type Text1 = (x: string, dtype: ScalarType, from: ScalarType) => string;
/** WGSL of two operands. */
type Text2 = (x: string, y: string, dtype: ScalarType) => string;

const USUAL = { result: 'same', tolerance: 1e-6, smooth: true, cost: 1 } as const;

/** A function of one operand. */
export function unary(
  types: readonly ScalarType[],
  reference: (x: number) => number,
  text: Text1,
  details: Details = {},
): ElementwiseOp {
  return {
    ...USUAL,
    arity: 1,
    types,
    reference,
    wgsl: (x, dtype, from) => text(x[0]!, dtype, from),
    sample: ['real'],
    ...details,
  };
}

/** A function of two operands. */
export function binary(
  types: readonly ScalarType[],
  reference: (x: number, y: number) => number,
  text: Text2,
  details: Details = {},
): ElementwiseOp {
  return {
    ...USUAL,
    arity: 2,
    types,
    reference,
    wgsl: (x, dtype) => text(x[0]!, x[1]!, dtype),
    sample: ['real', 'real'],
    ...details,
  };
}

/** A comparison by a WGSL operator. */
export function comparison(
  reference: (x: number, y: number) => boolean,
  operator: string,
): ElementwiseOp {
  const f = (x: number, y: number): number => Number(reference(x, y));
  const text: Text2 = (x, y) => `(${x} ${operator} ${y})`;
  return binary(NUMERIC, f, text, { ...EXACT, result: 'bool', sample: ['integer', 'integer'] });
}

/** A test of one float for what its bits are. */
export function classification(
  reference: (x: number) => boolean,
  text: (bits: string) => string,
): ElementwiseOp {
  const f = (x: number): number => Number(reference(x));
  const ofBits: Text1 = (x) => text(`(bitcast<u32>(${x}) & 0x7fffffffu)`);
  return unary(FLOAT, f, ofBits, { ...EXACT, result: 'bool' });
}

/** An operation on each bit, and on bools. */
export function bitwise(reference: (x: number, y: number) => number, text: Text2): ElementwiseOp {
  return binary(BITS, reference, text, { ...EXACT, sample: ['any', 'any'] });
}

/** The meaning of an op for operands of a type. */
export function meaningOf(op: ElementwiseOp, type: ScalarType): (...x: number[]) => number {
  return type === 'i32' || type === 'u32' ? (op.integer ?? op.reference) : op.reference;
}
