/**
 * @file Philox4x32-10 on four counters at once (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC11).
 */
import { f32x4, i32, i32x4, op, shuffle, type Code, type Expr, type Local } from './assembler.ts';

const MULTIPLIER = [0xd2511f53, 0xcd9e8d57] as const;
const WEYL = [0x9e3779b9, 0xbb67ae85] as const;
const ROUNDS = 10;

/** Upper 32 bits of the products of u32 lanes with a literal. */
function highProduct(x: Local, multiplier: number): Expr {
  const m = i32x4(multiplier);
  return shuffle(
    op('i64x2.extmul_low_i32x4_u', x, m),
    op('i64x2.extmul_high_i32x4_u', x, m),
    [1, 3, 5, 7],
  );
}

/** First output word for counter (`counter`, 0, 0, 0) and the two key words. */
export function randomWord(c: Code, counter: Expr, keys: readonly [Expr, Expr]): Expr {
  const k = keys.map((key) => c.let('v128', key));
  let x = [c.let('v128', counter), ...[1, 2, 3].map(() => c.let('v128', i32x4(0)))];
  for (let round = 0; round < ROUNDS; round++) {
    const bumped = k.map((key, i) => op('i32x4.add', key, i32x4(Math.imul(round, WEYL[i]!))));
    const mix = (from: number, by: number, with_: number, key: number): Local =>
      c.let(
        'v128',
        op(
          'v128.xor',
          op('v128.xor', highProduct(x[from]!, MULTIPLIER[by]!), x[with_]!),
          bumped[key]!,
        ),
      );
    const low = (from: number, by: number): Local =>
      c.let('v128', op('i32x4.mul', x[from]!, i32x4(MULTIPLIER[by]!)));
    x = [mix(2, 1, 1, 0), low(2, 1), mix(0, 0, 3, 1), low(0, 0)];
  }
  return x[0]!;
}

/** Uniform f32 in [0, 1): the upper 24 bits of the word times 2⁻²⁴. */
export function uniform(c: Code, counter: Expr, keys: readonly [Expr, Expr]): Expr {
  const word = randomWord(c, counter, keys);
  const upper = op('f32x4.convert_i32x4_s', op('i32x4.shr_u', word, i32(8)));
  return op('f32x4.mul', upper, f32x4(2 ** -24));
}
