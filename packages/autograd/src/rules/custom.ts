/** @file Values that bring their own gradient rule. */
import { ShapeError, Tensor, sameShape, showShape } from '@camada/tensor';
import type { Rule } from './rule.ts';

/**
 * The rule written at the call of `customGradient`: no gradient to the value itself (input 0), the rule's
 * to each argument. Throws ShapeError when the rule's gradient does not fit its argument.
 */
export const custom: Rule<'customGradient'> = {
  carries: (_node, input) => input > 0,
  gradient: ({ node, dy, x, y }, input) => {
    const args = x.slice(1).map((arg) => arg.node);
    const gradients = node.attrs.backward(args, y.node, dy.node);
    const gradient = gradients[input - 1];
    const wanted = x[input]!.shape;
    if (!gradient || !sameShape(gradient.shape, wanted))
      throw new ShapeError(
        `customGradient: the rule gave ${gradient ? showShape(gradient.shape) : 'nothing'} for argument ` +
          `${input - 1} of shape ${showShape(wanted)}`,
      );
    return Tensor.of(gradient);
  },
};
