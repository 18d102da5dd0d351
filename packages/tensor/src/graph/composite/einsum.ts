/**
 * @file Einstein summation: axes named by letters, repeated letters are diagonals or products, letters that the result lacks
 * are summed. Two operands at a time become one batched matrix product; of more, the pair with the smallest
 * result comes first (greedy, as in opt_einsum: Smith & Gray 2018, JOSS 3(26)).
 */
import { isFloat } from '../../dtype.ts';
import { ShapeError } from '../../errors.ts';
import { showShape, sizeOf } from '../../shape.ts';
import * as build from '../build.ts';
import type { Node } from '../node.ts';
import { diagonal, movedim } from './movement.ts';

const { elementwise } = build;

/** An operand whose axes have distinct labels. */
interface Labelled {
  readonly node: Node;
  readonly labels: readonly string[];
}

/** What the subscripts say. */
interface Subscripts {
  readonly inputs: readonly (readonly string[])[];
  readonly output: readonly string[];
}

const ELLIPSIS = '...';

/** `ij,jk->ik`; `...` names leading axes that broadcast. Throws ShapeError. */
export function einsum(subscripts: string, operands: readonly Node[]): Node {
  const { inputs, output } = parse(subscripts, operands);
  const labelled = operands.map((node, i) => diagonals({ node, labels: inputs[i]! }));
  const sizes = sizesOf(subscripts, labelled);
  const list = labelled.map((x) => withoutOnes(x, sizes));
  while (list.length > 1) {
    const [i, j] = cheapest(list, output, sizes);
    const others = list.filter((_, k) => k !== i && k !== j);
    const needed = new Set([...output, ...others.flatMap((x) => x.labels)]);
    list.splice(0, list.length, ...others, contract(list[i]!, list[j]!, needed));
  }
  const [last] = list as [Labelled];
  return arranged(summed(last, new Set(output)), output, sizes);
}

/** Labels of every operand and of the result, `...` as labels of its own. Throws ShapeError. */
function parse(subscripts: string, operands: readonly Node[]): Subscripts {
  const text = subscripts.replaceAll(' ', '');
  const [left = '', right, ...rest] = text.split('->');
  const terms = left.split(',');
  const letters = /^(?:[a-zA-Z]|\.\.\.)*$/;
  const fail = (why: string): never => {
    throw new ShapeError(`einsum: '${subscripts}': ${why}`);
  };
  if (rest.length > 0) fail('more than one ->');
  if (terms.length !== operands.length)
    fail(`${terms.length} terms for ${operands.length} operands`);
  for (const term of [...terms, right ?? ''])
    if (!letters.test(term)) fail(`'${term}' must be letters with at most one ...`);
  const inputs = terms.map((term, i) => labelsOf(term, operands[i]!.shape.length, fail));
  const widest = inputs.map((list) => list.filter((label) => label.startsWith(ELLIPSIS)));
  const dots = widest.reduce((a, b) => (b.length > a.length ? b : a), []);
  const output = right === undefined ? implicit(inputs, dots) : expandOutput(right, dots, fail);
  const known = new Set(inputs.flat());
  const unknown = output.find((label) => !known.has(label));
  if (unknown) fail(`'${unknown}' of the result is in no operand`);
  if (new Set(output).size !== output.length) fail('the result names an axis twice');
  return { inputs, output };
}

type Fail = (why: string) => never;

/** The labels of a term; the axes under `...` are numbered from the last one, so that they align. */
function labelsOf(term: string, rank: number, fail: Fail): string[] {
  const [head = '', tail, ...rest] = term.split(ELLIPSIS);
  if (rest.length > 0) fail(`'${term}' has more than one ...`);
  const hidden = rank - head.length - (tail?.length ?? 0);
  if (hidden < 0 || (tail === undefined && hidden > 0))
    fail(`'${term}' does not name the ${rank} axes of its operand`);
  const dots = Array.from({ length: hidden }, (_, i) => `${ELLIPSIS}${hidden - i}`);
  return [...head, ...dots, ...(tail ?? '')];
}

function expandOutput(right: string, dots: readonly string[], fail: Fail): string[] {
  const [head = '', tail, ...rest] = right.split(ELLIPSIS);
  if (rest.length > 0) fail('the result has more than one ...');
  return [...head, ...(tail === undefined ? [] : dots), ...(tail ?? '')];
}

/** Without `->`: the axes under `...`, then the letters that occur once, in alphabetical order. */
function implicit(inputs: readonly (readonly string[])[], dots: readonly string[]): string[] {
  const letters = inputs.flat().filter((label) => !label.startsWith(ELLIPSIS));
  const once = letters.filter((label) => letters.indexOf(label) === letters.lastIndexOf(label));
  return [...dots, ...once.sort()];
}

/** Repeated labels of one operand are a diagonal. Throws ShapeError when their sizes differ. */
function diagonals({ node, labels }: Labelled): Labelled {
  const second = labels.findIndex((label, i) => labels.indexOf(label) !== i);
  if (second < 0) return { node, labels };
  const first = labels.indexOf(labels[second]!);
  if (node.shape[first] !== node.shape[second])
    throw new ShapeError(
      `einsum: axes '${labels[first]}' of ${showShape(node.shape)} differ: ${node.shape[first]} and ${node.shape[second]}`,
    );
  const others = labels.filter((_, i) => i !== first && i !== second);
  return diagonals({ node: diagonal(node, 0, first, second), labels: [...others, labels[first]!] });
}

/** The size of each label; 1 broadcasts. Throws ShapeError when sizes differ. */
function sizesOf(subscripts: string, operands: readonly Labelled[]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { node, labels } of operands)
    labels.forEach((label, i) => {
      const [known, size] = [sizes.get(label) ?? 1, node.shape[i]!];
      if (known !== 1 && size !== 1 && known !== size)
        throw new ShapeError(`einsum: '${subscripts}': axis '${label}' is ${known} and ${size}`);
      sizes.set(label, known === 1 ? size : known);
    });
  return sizes;
}

/** Axes of size 1 that others broadcast are dropped: what is left has its label's size. */
function withoutOnes({ node, labels }: Labelled, sizes: ReadonlyMap<string, number>): Labelled {
  const kept = labels.map((label, i) => node.shape[i] === sizes.get(label));
  const shape = node.shape.filter((_, i) => kept[i]);
  return { node: build.reshape(node, shape), labels: labels.filter((_, i) => kept[i]) };
}

/** The pair whose product is smallest. */
function cheapest(
  list: readonly Labelled[],
  output: readonly string[],
  sizes: ReadonlyMap<string, number>,
): [number, number] {
  let best: [number, number] = [0, 1];
  let least = Infinity;
  for (let i = 0; i < list.length; i++)
    for (let j = i + 1; j < list.length; j++) {
      const others = list.filter((_, k) => k !== i && k !== j).flatMap((x) => x.labels);
      const needed = new Set([...output, ...others]);
      const both = new Set([...list[i]!.labels, ...list[j]!.labels]);
      const size = sizeOf([...both].filter((l) => needed.has(l)).map((l) => sizes.get(l)!));
      if (size < least) [least, best] = [size, [i, j]];
    }
  return best;
}

/** Labels that nobody needs are summed away. */
function summed({ node, labels }: Labelled, needed: ReadonlySet<string>): Labelled {
  const axes = labels.flatMap((label, i) => (needed.has(label) ? [] : [i]));
  return { node: build.reduce('sum', node, axes), labels: labels.filter((l) => needed.has(l)) };
}

/** The product of two operands, summed over what is not needed: [shared, a's own, b's own]. */
function contract(left: Labelled, right: Labelled, needed: ReadonlySet<string>): Labelled {
  const a = summed(left, new Set([...needed, ...right.labels]));
  const b = summed(right, new Set([...needed, ...left.labels]));
  const common = a.labels.filter((label) => b.labels.includes(label));
  const shared = common.filter((label) => needed.has(label));
  const gone = common.filter((label) => !needed.has(label));
  const ownA = a.labels.filter((label) => !common.includes(label));
  const ownB = b.labels.filter((label) => !common.includes(label));
  const labels = [...shared, ...ownA, ...ownB];
  const x = ordered(a, [...shared, ...ownA, ...gone]);
  const y = ordered(b, [...shared, ...gone, ...ownB]);
  const node = multiplied(x, y, [shared.length, ownA.length, gone.length]);
  return { node, labels };
}

function ordered({ node, labels }: Labelled, order: readonly string[]): Node {
  return build.permute(
    node,
    order.map((label) => labels.indexOf(label)),
  );
}

/** x [batch, M, K] and y [batch, K, N] with so many axes each: a product of matrices, of integers a sum of products. */
function multiplied(
  x: Node,
  y: Node,
  [shared, own, gone]: readonly [number, number, number],
): Node {
  const batch = x.shape.slice(0, shared);
  const [m, k] = [x.shape.slice(shared, shared + own), x.shape.slice(shared + own)];
  const n = y.shape.slice(shared + gone);
  if (gone === 0 || !isFloat(x.dtype) || !isFloat(y.dtype)) {
    const left = build.reshape(x, [...batch, ...m, ...n.map(() => 1), ...k]);
    const right = build.reshape(movedim(y, axesFrom(shared, gone), axesFrom(-gone, gone)), [
      ...batch,
      ...m.map(() => 1),
      ...n,
      ...k,
    ]);
    const product = elementwise('mul', [left, right]);
    return build.reduce('sum', product, axesFrom(product.shape.length - gone, gone));
  }
  const product = build.matmul(
    build.reshape(x, [...batch, sizeOf(m), sizeOf(k)]),
    build.reshape(y, [...batch, sizeOf(k), sizeOf(n)]),
  );
  return build.reshape(product, [...batch, ...m, ...n]);
}

function axesFrom(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

/** The axes in the order of the result; what broadcasts nowhere has size 1. */
function arranged(
  x: Labelled,
  output: readonly string[],
  sizes: ReadonlyMap<string, number>,
): Node {
  const present = output.filter((label) => x.labels.includes(label));
  const node = ordered(x, present);
  return build.reshape(
    node,
    output.map((label) => sizes.get(label)!),
  );
}
