/** @file Activation functions, each with its source. */
import { elementwise } from '../build.ts';
import type { Node } from '../node.ts';
import { gt, square } from './elementwise.ts';
import { literal } from './literal.ts';

/** 1/(1+e⁻ˣ), written as (1 + tanh(x/2))/2, which neither overflows nor has a NaN gradient. */
export function sigmoid(x: Node): Node {
  const half = literal(0.5, x);
  const t = elementwise('tanh', [elementwise('mul', [x, half])]);
  return elementwise('add', [elementwise('mul', [t, half]), half]);
}

/** max(x, 0); written as a choice so that the gradient at 0 is 0, as in PyTorch. */
export function relu(x: Node): Node {
  return elementwise('where', [gt(x, literal(0, x)), x, literal(0, x)]);
}

/** x·σ(x). Elfwing et al. 2017, arXiv 1702.03118. */
export function silu(x: Node): Node {
  return elementwise('mul', [x, sigmoid(x)]);
}

/** x·Φ(x) with the error function. Hendrycks & Gimpel 2016, arXiv 1606.08415. */
export function gelu(x: Node): Node {
  const e = elementwise('erf', [elementwise('mul', [x, literal(Math.SQRT1_2, x)])]);
  const half = elementwise('mul', [x, literal(0.5, x)]);
  return elementwise('mul', [half, elementwise('add', [e, literal(1, x)])]);
}

/** GELU by its tanh approximation, arXiv 1606.08415 section 2; `gelu_new` of Hugging Face. */
export function geluTanh(x: Node): Node {
  const cube = elementwise('mul', [square(x), x]);
  const inner = elementwise('add', [x, elementwise('mul', [cube, literal(0.044715, x)])]);
  const t = elementwise('tanh', [elementwise('mul', [inner, literal(Math.sqrt(2 / Math.PI), x)])]);
  const half = elementwise('mul', [x, literal(0.5, x)]);
  return elementwise('mul', [half, elementwise('add', [t, literal(1, x)])]);
}
