/**
 * @file The smallest pieces of WGSL text: literals, types, addresses. WGSL has no infinities and no
 * NaN in its literals, so these come from private variables that hold their bits.
 */
import type { ScalarType } from '../../../dtype.ts';
import type { Affine } from '../../../schedule/kernel.ts';

/** Least normal f32; smaller literals are written as bits since compilers may flush them. */
const SMALLEST_NORMAL = 2 ** -126;

/** Component letters of a vector. */
export const LETTERS = ['x', 'y', 'z', 'w'] as const;

const scratch = new DataView(new ArrayBuffer(4));

function bits(value: number): string {
  scratch.setFloat32(0, value);
  return `0x${scratch.getUint32(0).toString(16).padStart(8, '0')}u`;
}

function floatLiteral(value: number): string {
  const x = Math.fround(value);
  if (Number.isNaN(value)) return 'camada_nan()';
  if (!Number.isFinite(x)) return x > 0 ? 'camada_inf()' : '(-camada_inf())';
  if (x === 0 && !Object.is(x, -0)) return '0.0';
  if (Math.abs(x) < SMALLEST_NORMAL) return `bitcast<f32>(${bits(x)})`;
  return x < 0 ? `(${x}f)` : `${x}f`;
}

function clampInteger(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, Math.trunc(value)));
}

/** A value as a WGSL expression of its type, exact to the bit. Infinities of integers are their extremes. */
export function literal(dtype: ScalarType, value: number): string {
  if (dtype === 'f32') return floatLiteral(value);
  if (dtype === 'bool') return value ? 'true' : 'false';
  if (dtype === 'u32') return `${clampInteger(value, 0, 2 ** 32 - 1)}u`;
  const x = clampInteger(value, -(2 ** 31), 2 ** 31 - 1);
  return x === -(2 ** 31) ? 'i32(-2147483648)' : x < 0 ? `(${x})` : `${x}`;
}

/** `offset + Σ strides[i] · axes[i]`, as i32; `extra` elements are added to the offset. */
export function affineText(at: Affine, axes: readonly string[], extra = 0): string {
  const terms = at.strides.flatMap((stride, i) => product(axes[i]!, stride));
  const offset = at.offset + extra;
  if (offset !== 0 || terms.length === 0) terms.push(`${offset}`);
  return terms.join(' + ').replaceAll('+ -', '- ');
}

function product(axis: string, stride: number): string[] {
  if (stride === 0) return [];
  return [stride === 1 ? axis : `${axis} * ${stride < 0 ? `(${stride})` : stride}`];
}

/**
 * Statements that split the row-major index `from` over `sizes` into the i32 variables `names`.
 */
export function splitIndex(
  from: string,
  sizes: readonly number[],
  names: readonly string[],
): string[] {
  const lines: string[] = [];
  let rest = from;
  for (let i = sizes.length - 1; i >= 0; i--) {
    if (i === 0) lines.push(`let ${names[i]} = ${rest};`);
    else if (sizes[i] === 1) lines.push(`let ${names[i]} = 0;`);
    else {
      lines.push(
        `let ${names[i]} = ${rest} % ${sizes[i]};`,
        `let ${names[i]}_r = ${rest} / ${sizes[i]};`,
      );
      rest = `${names[i]}_r`;
    }
  }
  return lines;
}

/** Statements indented under a head, in braces. */
export function block(head: string, body: readonly string[]): string[] {
  return [`${head} {`, ...body.map((line) => `  ${line}`), '}'];
}
