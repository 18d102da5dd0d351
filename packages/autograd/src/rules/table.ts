/** @file The rule of every graph op. The table is total: a new op without a rule does not compile. */
import type { Node, OpName } from '@camada/tensor';
import { custom } from './custom.ts';
import { elementwise } from './elementwise.ts';
import { gather, scatter } from './indexing.ts';
import { matmul } from './matmul.ts';
import { expand, pad, permute, reshape, shear, slice } from './movement.ts';
import { reduce } from './reduce.ts';
import { none, smooth, type Rule } from './rule.ts';

const RULES: { readonly [K in OpName]: Rule<K> } = {
  buffer: none(),
  constant: none(),
  scalar: none(),
  iota: none(),
  random: none(),
  elementwise,
  reduce,
  reshape,
  permute,
  expand,
  slice,
  pad,
  shear,
  matmul,
  gather,
  scatter,
  argsort: none(),
  detach: none(),
  barrier: smooth(({ dy }) => dy),
  customGradient: custom,
};

/** The rule of a node. */
export function ruleOf(node: Node): Rule<OpName> {
  return RULES[node.op] as Rule<OpName>;
}
