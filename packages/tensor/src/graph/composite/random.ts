/**
 * @file Distributions from uniform numbers and random bits. A uniform number is a multiple of 2⁻²⁴ in [0, 1); where
 * the interval must be open, 0 counts as 2⁻²⁵.
 */
import * as build from '../build.ts';
import type { Node } from '../node.ts';
import { literal } from './literal.ts';

const { elementwise } = build;

/** Uniform numbers u in [0, 1) brought to [low, high); what rounding brings to `high` becomes `low`. */
export function between(u: Node, low: Node, high: Node): Node {
  const width = elementwise('sub', [high, low]);
  const x = elementwise('add', [elementwise('mul', [u, width]), low]);
  return elementwise('where', [elementwise('lt', [x, high]), x, low]);
}

/** log(1 − u) ≤ 0, by log1p: WGSL's log may be positive just below 1. */
function logRest(u: Node): Node {
  return elementwise('log1p', [elementwise('neg', [u])]);
}

/** Standard normal numbers by Box–Muller (1958) from two uniforms. */
export function normal(u1: Node, u2: Node): Node {
  const radius = elementwise('sqrt', [elementwise('mul', [logRest(u1), literal(-2, u1)])]);
  const angle = elementwise('mul', [u2, literal(2 * Math.PI, u2)]);
  return elementwise('mul', [radius, elementwise('cos', [angle])]);
}

/** −log(1 − u): exponential numbers of rate 1, above 0. */
export function exponential(u: Node): Node {
  return elementwise('neg', [logRest(elementwise('maximum', [u, literal(2 ** -25, u)]))]);
}

/** −log of exponential numbers: Gumbel numbers; the largest of x + g falls on i with probability softmax(x)ᵢ (Gumbel 1954). */
export function gumbel(u: Node): Node {
  return elementwise('neg', [elementwise('log', [exponential(u)])]);
}

/** Whole numbers in [low, low + count), i32, as the rest of random bits u32; `count` is u32, `low` i32. */
export function whole(bits: Node, low: Node, count: Node): Node {
  const rest = elementwise('fmod', [bits, count]);
  return elementwise('add', [build.cast(rest, 'i32'), low]);
}
