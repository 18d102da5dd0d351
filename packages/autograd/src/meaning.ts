/** @file Why a wanted tensor gets no gradient, in words: what is an error, and what is zero. */
import { DTypeError, InputError, isFloat, showShape } from '@camada/tensor';
import type { Node, Tensor } from '@camada/tensor';
import { carries } from './path.ts';
import type { Sweep } from './sweep.ts';

/**
 * Throws DTypeError where a wanted tensor reaches the result only through integers or bools (zeros would hide a
 * mistake), and, unless unused tensors are allowed, InputError where no gradient arrives for another reason.
 */
export function checkArrival(
  op: string,
  { gradients, order, targets }: Sweep,
  wrt: readonly Tensor[],
  allowUnused: boolean,
): void {
  wrt.forEach((tensor, i) => {
    if (gradients[i]) return;
    const name = `${op}: tensor ${i} of wrt, ${tensor.dtype} ${showShape(tensor.shape)},`;
    const touched = order.some((node) => targets[i]!.has(node));
    const culprit = touched ? integersBetween(order, targets[i]!) : undefined;
    if (culprit) throw new DTypeError(`${name} ${throughIntegers(culprit)}`);
    if (!allowUnused) throw new InputError(`${name} ${touched ? CUT : NOT_CONNECTED}`);
  });
}

const NOT_CONNECTED =
  'is not connected to the result: nothing below the result was computed from it. Pass the very tensor that ' +
  'the result was built from, build the result anew after an update, or allow it with allowUnused';
const CUT =
  'has no gradient: on every way to the result stands a stopGradient, a constant step such as floor, or the ' +
  'inside of a customGradient or checkpoint; allow it with allowUnused';

/** The last integer or bool on the ways from `targets` to the result, when all ways lead through such. */
function integersBetween(
  order: readonly Node[],
  targets: ReadonlySet<Node>,
): readonly Node[] | undefined {
  const smooth = new Set<Node>(targets);
  const through = new Map<Node, readonly Node[]>();
  for (const node of order) {
    if (node.inputs.some((input, i) => smooth.has(input) && carries(node, i))) smooth.add(node);
    if (smooth.has(node) || node.op === 'detach') continue;
    const earlier = node.inputs.find((input) => through.has(input));
    if (earlier) through.set(node, extend(through.get(earlier)!, node));
    else if (!isFloat(node.dtype) && node.inputs.some((input) => smooth.has(input)))
      through.set(node, [node]);
  }
  return through.get(order[order.length - 1]!);
}

/** The first and the last integer or bool of a way. */
function extend(way: readonly Node[], node: Node): readonly Node[] {
  return isFloat(node.dtype) ? way : [way[0]!, node];
}

function throughIntegers(way: readonly Node[]): string {
  const steps = way.map((node) => `${nameOf(node)} (${node.dtype} ${showShape(node.shape)})`);
  return (
    `reaches the result only through ${steps.join(' … ')}; integers and bools carry no gradient. ` +
    'Use a smooth op (a loss such as crossEntropy, a softmax instead of an argmax), give the step a rule with ' +
    'customGradient, or say that zero is meant with stopGradient'
  );
}

/** The name of the op that made a node. */
export function nameOf({ op, attrs }: Node): string {
  return 'name' in attrs ? attrs.name : op;
}
