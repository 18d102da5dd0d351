/** @file Gradients of row look-up and of its transpose. */
import { where, zeros } from '@camada/tensor';
import { smooth, type Rule } from './rule.ts';

/**
 * Of y[n] = table[index[n]]: dTable[v] = Σ of dy[n] where index[n] = v. An index outside the table has
 * no gradient.
 */
export const gather: Rule<'gather'> = smooth(({ node, dy, x }) => {
  const [rows = 0, ...rest] = node.inputs[0]!.shape;
  const count = x[1]!.size;
  const width = rest.reduce((product, size) => product * size, 1);
  const updates = dy.reshape([count, width]); // [n, C]
  const sums = zeros([rows, width]).indexAdd(0, x[1]!.reshape([count]), updates);
  return sums.reshape(node.inputs[0]!.shape);
});

/**
 * Of y[v] = Σ updates[n] where index[n] = v: dUpdates[n] = dy[index[n]], 0 where the index was ignored. Where the last
 * update counts there is no gradient: `scatter` and others look the updates up instead.
 */
export const scatter: Rule<'scatter'> = {
  carries: (node) => node.attrs.keep === 'sum',
  gradient: ({ node, dy, x }) => {
    const index = x[0]!;
    const valid = index.ge(0).and(index.lt(node.attrs.rows)).unsqueeze(1).expand(x[1]!.shape); // [n, C]
    return where(valid, dy.gather(index), zeros(x[1]!.shape, dy.dtype));
  },
};
