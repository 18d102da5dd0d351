/** @file Values that bring their own gradient rule. */
import { ShapeError, Tensor, sameShape, showShape } from '@camada/tensor';
import type { Node } from '@camada/tensor';
import type { Rule, Step } from './rule.ts';

/** What a rule gave for one step: it is asked once, whatever the number of arguments. */
const given = new WeakMap<Step<'customGradient'>, readonly Node[]>();

function gradientsOf(step: Step<'customGradient'>): readonly Node[] {
  const known = given.get(step);
  if (known) return known;
  const { node, dy, x, y, wanted } = step;
  const args = x.slice(1).map((arg) => arg.node);
  const gradients = node.attrs.backward(args, y.node, dy.node, wanted.slice(1));
  given.set(step, gradients);
  return gradients;
}

/**
 * The rule written at the call of `customGradient`: no gradient to the value itself (input 0), the rule's
 * to each argument. Throws ShapeError when the rule's gradient does not fit its argument.
 */
export const custom: Rule<'customGradient'> = {
  carries: (_node, input) => input > 0,
  gradient: (step, input) => {
    const gradient = gradientsOf(step)[input - 1];
    const wanted = step.node.inputs[input]!.shape;
    if (!gradient || !sameShape(gradient.shape, wanted))
      throw new ShapeError(
        `customGradient: the rule gave ${gradient ? showShape(gradient.shape) : 'nothing'} for argument ` +
          `${input - 1} of shape ${showShape(wanted)}`,
      );
    return Tensor.of(gradient);
  },
};
