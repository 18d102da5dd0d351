/** @file Products C[M, N] = A·B of the suite; the layout says which operand is stored transposed. */

/** M, K, N and layout (A then B; T: stored transposed) by label. */
export const PRODUCTS = {
  '512³': { m: 512, k: 512, n: 512, layout: 'NN' },
  '1024³': { m: 1024, k: 1024, n: 1024, layout: 'NN' },
  ...layouts(128, 384, 1536),
  ...layouts(256, 576, 1536),
};

/** What LoRA of rank 8 multiplies at 1024 rows: x·A and then by B. */
export const SKINNY = {
  '1024×384×8': { m: 1024, k: 384, n: 8, layout: 'NN' },
  '1024×8×384': { m: 1024, k: 8, n: 384, layout: 'NN' },
};

function layouts(m, k, n) {
  return Object.fromEntries(
    ['NN', 'NT', 'TN'].map((layout) => [`${m}×${k}×${n} ${layout}`, { m, k, n, layout }]),
  );
}

/** Stored shapes of both operands. */
export function operandShapes({ m, k, n, layout }) {
  return [layout[0] === 'T' ? [k, m] : [m, k], layout[1] === 'T' ? [n, k] : [k, n]];
}

/** GF/s of a product that took `ms`. */
export function gigaflops({ m, k, n }, ms) {
  return (2 * m * k * n) / ms / 1e6;
}

/** Numbers in [-1, 1]. */
export function filled(size) {
  return Float32Array.from({ length: size }, (_, i) => Math.sin(i));
}
