/**
 * @file Arguments and results of a captured step: tensors inside arrays and plain objects. What else is among
 * the arguments (numbers, texts, nothing) is part of the step's structure.
 */
import { InputError } from '../errors.ts';
import { Tensor } from '../tensor.ts';

/** What to put in the place of a leaf; `path` is where it stands, as in `.rows[2].labels`. */
export type Leaf = (value: unknown, path: string) => unknown;

/** A copy of arrays and plain objects with another value in the place of everything else. */
export function mapTree(value: unknown, leaf: Leaf, path = ''): unknown {
  if (Array.isArray(value)) return value.map((item, i) => mapTree(item, leaf, `${path}[${i}]`));
  if (!isPlainObject(value)) return leaf(value, path);
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) copy[key] = mapTree(value[key], leaf, `${path}.${key}`);
  return copy;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Tensors of a tree in order, and a text of everything else: structure, shapes, dtypes, plain values. */
export interface Flat {
  readonly tensors: readonly Tensor[];
  readonly signature: string;
}

/** Takes the arguments of a step apart. Throws InputError on functions, class instances and the like. */
export function flatten(tree: unknown): Flat {
  const tensors: Tensor[] = [];
  let signature = '';
  mapTree(tree, (value, path) => {
    if (value instanceof Tensor) {
      tensors.push(value);
      signature += `${path}:${value.dtype}[${value.shape.join()}];`;
    } else signature += `${path}=${typeof value}:${String(plain(value, path))};`;
  });
  return { tensors, signature };
}

function plain(value: unknown, path: string): unknown {
  const isObject = typeof value === 'object' && value !== null;
  if (isObject || typeof value === 'function' || typeof value === 'symbol')
    throw new InputError(
      `capture: argument${path} is a ${isObject ? value.constructor.name : typeof value}; a captured step takes tensors, ` +
        'numbers, texts and booleans in arrays and plain objects, and closes over everything else',
    );
  return value;
}
