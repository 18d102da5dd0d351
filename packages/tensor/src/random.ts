/**
 * @file Random numbers with explicit keys: the same for the same key, on every device. A key is used once; `foldKey`
 * makes as many from one as are needed. Where only whole numbers, comparisons and single products are involved
 * (uniform, bits, integers, Bernoulli, permutations) the results are equal to the bit.
 */
import { InputError, ShapeError } from './errors.ts';
import * as build from './graph/build.ts';
import * as composite from './graph/composite/random.ts';
import { argExtremum } from './graph/composite/reduction.ts';
import type { Node } from './graph/node.ts';
import { liveScalars } from './host-number.ts';
import type { RandomKey } from './philox.ts';
import { showShape, type Shape } from './shape.ts';
import { Tensor, type Operand } from './tensor.ts';

/** A key, or where to read it at each run of a captured step. */
export type HostKey = RandomKey | (() => RandomKey);

function keyNodes(key: HostKey): [Node, Node] {
  if (typeof key === 'function') return liveScalars(key, 'u32') as [Node, Node];
  return [build.scalar(key[0], 'u32'), build.scalar(key[1], 'u32')];
}

function uniform(shape: Shape, key: HostKey): Node {
  return build.random(shape, keyNodes(key));
}

/** Uniform numbers in [low, high), f32, by Philox4x32-10. Throws InputError unless low < high. */
export function randomUniform(shape: Shape, key: HostKey, low = 0, high = 1): Tensor {
  const u = uniform(shape, key);
  if (low === 0 && high === 1) return Tensor.of(u);
  if (!(low < high)) throw new InputError(`randomUniform: low ${low} must be below high ${high}`);
  return Tensor.of(composite.between(u, build.scalar(low, 'f32'), build.scalar(high, 'f32')));
}

/** Normal numbers of that mean and standard deviation, by Box–Muller over two uniform draws of the key's stream. */
export function randomNormal(shape: Shape, key: HostKey, mean = 0, sd = 1): Tensor {
  const draws = Tensor.of(uniform([2, ...shape], key));
  const pick = (i: number): Tensor => draws.slice(0, i, i + 1).squeeze(0);
  const z = Tensor.of(composite.normal(pick(0).node, pick(1).node));
  const spread = sd === 1 ? z : z.mul(sd);
  return mean === 0 ? spread : spread.add(mean);
}

/** 32 random bits each, u32. */
export function randomBits(shape: Shape, key: HostKey): Tensor {
  return Tensor.of(build.random(shape, keyNodes(key), 'u32'));
}

/**
 * Whole numbers in [low, high), i32: `torch.randint`. No number is favoured by more than (high − low)·2⁻³².
 * Throws InputError unless low < high lie in the range of i32.
 */
export function randomInteger(shape: Shape, key: HostKey, low: number, high: number): Tensor {
  const inside = Number.isInteger(low) && Number.isInteger(high) && low >= -(2 ** 31);
  if (!inside || !(low < high) || high > 2 ** 31)
    throw new InputError(
      `randomInteger: wants whole numbers low < high from −2³¹ to 2³¹, got ${low} and ${high}`,
    );
  const count = build.scalar(high - low, 'u32');
  const bits = randomBits(shape, key).node;
  return Tensor.of(composite.whole(bits, build.scalar(low, 'i32'), count));
}

/**
 * True with probability p each, bool; p is a number or a tensor of probabilities, which `shape` extends (default:
 * p's own). Throws InputError for a number outside [0, 1], ShapeError where p does not expand to `shape`.
 */
export function randomBernoulli(p: Operand, key: HostKey, shape?: Shape): Tensor {
  if (typeof p !== 'number') {
    const wanted = shape ?? p.shape;
    return Tensor.of(uniform(wanted, key)).lt(p.expand(wanted));
  }
  if (!(p >= 0 && p <= 1)) throw new InputError(`randomBernoulli: p must be from 0 to 1, got ${p}`);
  return Tensor.of(uniform(shape ?? [], key)).lt(p);
}

/** The numbers 0 to n − 1 in random order, i32: `torch.randperm`. */
export function randomPermutation(n: number, key: HostKey): Tensor {
  return randomBits([n], key).argsort();
}

/** Exponential numbers of that rate (mean 1/rate), above 0. Throws InputError unless rate > 0. */
export function randomExponential(shape: Shape, key: HostKey, rate = 1): Tensor {
  if (!(rate > 0)) throw new InputError(`randomExponential: the rate must be above 0, got ${rate}`);
  const x = Tensor.of(composite.exponential(uniform(shape, key)));
  return rate === 1 ? x : x.div(rate);
}

/** Gumbel numbers of location 0 and scale 1. */
export function randomGumbel(shape: Shape, key: HostKey): Tensor {
  return Tensor.of(composite.gumbel(uniform(shape, key)));
}

/**
 * Classes drawn with the probabilities softmax(logits) of the last axis, i32, by the Gumbel-max trick: of
 * logits [..., V] one each, [...], or with `samples` that many, independent, [samples, ...]. A logit of −∞ is
 * never drawn. Throws ShapeError without classes.
 */
export function randomCategorical(logits: Tensor, key: HostKey, samples?: number): Tensor {
  if (logits.rank === 0 || logits.shape.at(-1) === 0)
    throw new ShapeError(`randomCategorical: logits ${showShape(logits.shape)} have no classes`);
  const shape = samples === undefined ? logits.shape : [samples, ...logits.shape];
  const noisy = logits.add(randomGumbel(shape, key));
  return Tensor.of(argExtremum('argmax', noisy.node, -1, false));
}
