/** @file Activation functions. */
import { scalar } from '../graph/build.ts';
import * as composite from '../graph/composite/activation.ts';
import type { Node } from '../graph/node.ts';
import { ElementwiseMethods } from './elementwise.ts';

/** A host number as data. */
function number(value: number): Node {
  return scalar(value, 'f32');
}

/** Activation functions, as methods. */
export abstract class ActivationMethods<
  Self extends ActivationMethods<Self>,
> extends ElementwiseMethods<Self> {
  /** Logistic function. */
  sigmoid(): Self {
    return this.wrap(composite.sigmoid(this.node));
  }
  /** max(this, 0). */
  relu(): Self {
    return this.wrap(composite.relu(this.node));
  }
  /** GELU with the error function, arXiv 1606.08415. */
  gelu(): Self {
    return this.wrap(composite.gelu(this.node));
  }
  /** GELU by its tanh approximation, arXiv 1606.08415. */
  geluTanh(): Self {
    return this.wrap(composite.geluTanh(this.node));
  }
  /** this · sigmoid(this), arXiv 1702.03118. */
  silu(): Self {
    return this.wrap(composite.silu(this.node));
  }
  /** Logarithm of the logistic function. */
  logSigmoid(): Self {
    return this.wrap(composite.logSigmoid(this.node));
  }
  /** this · tanh(softplus(this)), arXiv 1908.08681. */
  mish(): Self {
    return this.wrap(composite.mish(this.node));
  }
  /** this between 0 and 6. */
  relu6(): Self {
    return this.wrap(composite.relu6(this.node));
  }
  /** Self-normalising ELU, arXiv 1706.02515. */
  selu(): Self {
    return this.wrap(composite.selu(this.node));
  }
  /** this / (1 + |this|). */
  softsign(): Self {
    return this.wrap(composite.softsign(this.node));
  }
  /** relu6(this + 3) / 6. */
  hardsigmoid(): Self {
    return this.wrap(composite.hardsigmoid(this.node));
  }
  /** this · hardsigmoid(this), arXiv 1905.02244. */
  hardswish(): Self {
    return this.wrap(composite.hardswish(this.node));
  }
  /** ln(1 + exp(beta · this)) / beta; this where beta · this is above `threshold`. */
  softplus(beta = 1, threshold = 20): Self {
    return this.wrap(composite.softplus(this.node, number(beta), number(threshold)));
  }
  /** this between `min` and `max`; no gradient at or beyond them. */
  hardtanh(min = -1, max = 1): Self {
    return this.wrap(composite.hardtanh(this.node, number(min), number(max)));
  }
  /** this where positive, else slope · this. */
  leakyRelu(slope = 0.01): Self {
    return this.wrap(composite.leakyRelu(this.node, number(slope)));
  }
  /** this where positive, else alpha · (exp(this) − 1), arXiv 1511.07289. */
  elu(alpha = 1): Self {
    return this.wrap(composite.elu(this.node, number(alpha)));
  }
  /** this where positive, else alpha · (exp(this / alpha) − 1), arXiv 1704.07483. */
  celu(alpha = 1): Self {
    return this.wrap(composite.celu(this.node, number(alpha)));
  }
}
