/** @file Distributions from uniform numbers. */
import { elementwise } from '../build.ts';
import type { Node } from '../node.ts';
import { literal } from './literal.ts';

/** Standard normal numbers by Box–Muller (1958) from two uniforms. */
export function normal(u1: Node, u2: Node): Node {
  const open = elementwise('sub', [literal(1, u1), u1]);
  const radius = elementwise('sqrt', [
    elementwise('mul', [elementwise('log', [open]), literal(-2, u1)]),
  ]);
  const angle = elementwise('mul', [u2, literal(2 * Math.PI, u2)]);
  return elementwise('mul', [radius, elementwise('cos', [angle])]);
}
