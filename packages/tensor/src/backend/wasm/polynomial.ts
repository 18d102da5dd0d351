/** @file Multiply-adds and polynomials on four f32 lanes. */
import { f32x4, op, type Expr } from './assembler.ts';

/** How a multiply-add is written: fused where the engine has relaxed SIMD. */
export interface Arithmetic {
  readonly relaxed: boolean;
}

/** `a · b + c`, fused where possible. */
export function multiplyAdd(how: Arithmetic, a: Expr, b: Expr, c: Expr): Expr {
  return how.relaxed
    ? op('f32x4.relaxed_madd', a, b, c)
    : op('f32x4.add', op('f32x4.mul', a, b), c);
}

/** Polynomial by Horner's rule; coefficients from the lowest power. */
export function polynomial(how: Arithmetic, x: Expr, coefficients: readonly number[]): Expr {
  const reversed = [...coefficients].reverse();
  return reversed
    .slice(1)
    .reduce<Expr>((sum, next) => multiplyAdd(how, sum, x, f32x4(next)), f32x4(reversed[0]!));
}
