/** @file Activation functions, each with its source. Numbers of a user are nodes: data, not text. */
import { elementwise } from '../build.ts';
import type { Node } from '../node.ts';
import { gt, square } from './elementwise.ts';
import { literal } from './literal.ts';
import { real, withDerivative } from './transcendental.ts';

const add = (x: Node, y: Node): Node => elementwise('add', [x, y]);
const sub = (x: Node, y: Node): Node => elementwise('sub', [x, y]);
const mul = (x: Node, y: Node): Node => elementwise('mul', [x, y]);
const neg = (x: Node): Node => elementwise('neg', [x]);
const choose = (condition: Node, x: Node, y: Node): Node => elementwise('where', [condition, x, y]);
const isPositive = (x: Node): Node => gt(x, literal(0, x));

/** 1/(1+e⁻ˣ), to relative accuracy also where it is small; σ′ = σ·(1 − σ). */
export function sigmoid(input: Node): Node {
  const x = real(input);
  const e = elementwise('exp', [neg(x)]);
  const value = elementwise('reciprocal', [add(e, literal(1, e))]);
  return withDerivative(x, value, (_, y) => mul(y, sub(literal(1, y), y)));
}

/** max(x, 0); written as a choice so that the gradient at 0 is 0 and NaN stays, as in PyTorch. */
export function relu(x: Node): Node {
  return choose(elementwise('le', [x, literal(0, x)]), literal(0, x), x);
}

/** x·σ(x). Elfwing et al. 2017, arXiv 1702.03118. */
export function silu(x: Node): Node {
  return mul(x, sigmoid(x));
}

/** x·Φ(x) with the error function. Hendrycks & Gimpel 2016, arXiv 1606.08415. */
export function gelu(x: Node): Node {
  const e = elementwise('erf', [mul(x, literal(Math.SQRT1_2, x))]);
  return mul(mul(x, literal(0.5, x)), add(e, literal(1, x)));
}

/** GELU by its tanh approximation, arXiv 1606.08415 section 2; `gelu_new` of Hugging Face. */
export function geluTanh(x: Node): Node {
  const cube = mul(square(x), x);
  const inner = add(x, mul(cube, literal(0.044715, x)));
  const t = elementwise('tanh', [mul(inner, literal(Math.sqrt(2 / Math.PI), x))]);
  return mul(mul(x, literal(0.5, x)), add(t, literal(1, x)));
}

/** ln(1 + eˣ) = max(x, 0) + log1p(e^−|x|), which never overflows; its derivative is σ. Dugas et al. 2001. */
function softplusOf(x: Node): Node {
  const size = elementwise('abs', [x]);
  const rest = elementwise('log1p', [elementwise('exp', [neg(size)])]);
  return withDerivative(x, add(relu(x), rest), sigmoid);
}

/** ln(1 + e^(β·x))/β; x itself where β·x is above the threshold, as in PyTorch. */
export function softplus(input: Node, beta: Node, threshold: Node): Node {
  const x = real(input);
  const scaled = mul(x, beta);
  const value = elementwise('div', [softplusOf(scaled), beta]);
  return choose(gt(scaled, threshold), x, value);
}

/** ln σ(x) = −ln(1 + e⁻ˣ). */
export function logSigmoid(x: Node): Node {
  return neg(softplusOf(neg(real(x))));
}

/** x·tanh(ln(1 + eˣ)). Misra 2019, arXiv 1908.08681. */
export function mish(input: Node): Node {
  const x = real(input);
  return mul(x, elementwise('tanh', [softplusOf(x)]));
}

/** x between `min` and `max`, with gradient 0 at and beyond them (PyTorch). */
export function hardtanh(input: Node, min: Node, max: Node): Node {
  const x = real(input);
  const raised = choose(elementwise('le', [x, min]), min, x);
  return choose(elementwise('le', [max, raised]), max, raised);
}

/** min(max(x, 0), 6). Howard et al. 2017, arXiv 1704.04861. */
export function relu6(x: Node): Node {
  return hardtanh(x, literal(0, real(x)), literal(6, real(x)));
}

/** relu6(x + 3)/6. Howard et al. 2019, arXiv 1905.02244. */
export function hardsigmoid(input: Node): Node {
  const x = real(input);
  return elementwise('div', [relu6(add(x, literal(3, x))), literal(6, x)]);
}

/** x·relu6(x + 3)/6. Howard et al. 2019, arXiv 1905.02244. */
export function hardswish(x: Node): Node {
  return mul(x, hardsigmoid(x));
}

/** x where it is positive, else slope·x. Maas et al. 2013. */
export function leakyRelu(x: Node, slope: Node): Node {
  return choose(isPositive(x), x, mul(x, slope));
}

/** x where it is positive, else scale·f; f sees 0 there, so that its overflow makes no gradient. */
function linearAbove(input: Node, f: (x: Node) => Node): Node {
  const x = real(input);
  const positive = isPositive(x);
  return choose(positive, x, f(choose(positive, literal(0, x), x)));
}

/** x where it is positive, else α·(eˣ − 1). Clevert et al. 2015, arXiv 1511.07289. */
export function elu(x: Node, alpha: Node): Node {
  return linearAbove(x, (below) => mul(elementwise('expm1', [below]), alpha));
}

/** x where it is positive, else α·(e^(x/α) − 1). Barron 2017, arXiv 1704.07483. */
export function celu(x: Node, alpha: Node): Node {
  return linearAbove(x, (below) => {
    const grown = elementwise('expm1', [elementwise('div', [below, alpha])]);
    return mul(grown, alpha);
  });
}

/** α and λ of SELU, arXiv 1706.02515 section 2. */
const SELU = { alpha: 1.6732632423543772, scale: 1.0507009873554805 };

/** λ·elu(x) with α and λ that keep mean and variance. Klambauer et al. 2017, arXiv 1706.02515. */
export function selu(x: Node): Node {
  const y = elu(x, literal(SELU.alpha, real(x)));
  return mul(y, literal(SELU.scale, y));
}

/** x/(1 + |x|). Turian et al. 2009. */
export function softsign(input: Node): Node {
  const x = real(input);
  return elementwise('div', [x, add(elementwise('abs', [x]), literal(1, x))]);
}
