/** @file Activation functions. */
import * as composite from '../graph/composite/activation.ts';
import { ElementwiseMethods } from './elementwise.ts';

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
}
