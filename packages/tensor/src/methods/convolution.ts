/** @file Convolutions and pooling. */
import * as composite from '../graph/composite/convolution.ts';
import type {
  AvgPoolOptions,
  ConvOptions,
  ConvTransposeOptions,
  PerAxis,
  WindowOptions,
} from '../graph/composite/convolution.ts';
import { IndexingMethods } from './indexing.ts';

/** Adds an option: a tensor [O] that is added to each output channel. */
type WithBias<Options, Self> = Options & { readonly bias?: Self };

/**
 * Convolutions and pooling, as methods. N is the batch (it may be missing), C and O are channels; the other axes
 * are spatial. All throw ShapeError on shapes and options that do not fit.
 */
export abstract class ConvolutionMethods<
  Self extends ConvolutionMethods<Self>,
> extends IndexingMethods<Self> {
  /** [N, C, L] with weight [O, C/groups, K] → [N, O, windows]. */
  conv1d(weight: Self, options: WithBias<ConvOptions, Self> = {}): Self {
    return this.convolve('conv1d', weight, 1, options);
  }
  /** [N, C, H, W] with weight [O, C/groups, KH, KW] → [N, O, windows, windows]. */
  conv2d(weight: Self, options: WithBias<ConvOptions, Self> = {}): Self {
    return this.convolve('conv2d', weight, 2, options);
  }
  /** [N, C, L] with weight [C, O/groups, K]: the gradient of `conv1d` with respect to its input, as an op. */
  convTranspose1d(weight: Self, options: WithBias<ConvTransposeOptions, Self> = {}): Self {
    return this.spread('convTranspose1d', weight, 1, options);
  }
  /** [N, C, H, W] with weight [C, O/groups, KH, KW]: the gradient of `conv2d` with respect to its input, as an op. */
  convTranspose2d(weight: Self, options: WithBias<ConvTransposeOptions, Self> = {}): Self {
    return this.spread('convTranspose2d', weight, 2, options);
  }
  /** Largest element of each window of [N, C, L]; the gradient goes to the first largest. Padding is −∞. */
  maxPool1d(size: PerAxis, options: WindowOptions = {}): Self {
    return this.wrap(composite.maxPool('maxPool1d', this.node, size, 1, options));
  }
  /** Largest element of each window of [N, C, H, W]; the gradient goes to the first largest. Padding is −∞. */
  maxPool2d(size: PerAxis, options: WindowOptions = {}): Self {
    return this.wrap(composite.maxPool('maxPool2d', this.node, size, 2, options));
  }
  /** Mean of each window of [N, C, L]. */
  avgPool1d(size: PerAxis, options: AvgPoolOptions = {}): Self {
    return this.wrap(composite.avgPool('avgPool1d', this.node, size, 1, options));
  }
  /** Mean of each window of [N, C, H, W]. */
  avgPool2d(size: PerAxis, options: AvgPoolOptions = {}): Self {
    return this.wrap(composite.avgPool('avgPool2d', this.node, size, 2, options));
  }
  /** Means of [N, C, L] in `size` equal parts; `size` must divide L (PyTorch's parts may overlap otherwise). */
  adaptiveAvgPool1d(size: PerAxis): Self {
    return this.wrap(composite.adaptiveAvgPool('adaptiveAvgPool1d', this.node, size, 1));
  }
  /** Means of [N, C, H, W] in `size` equal parts an axis; `size` must divide it. */
  adaptiveAvgPool2d(size: PerAxis): Self {
    return this.wrap(composite.adaptiveAvgPool('adaptiveAvgPool2d', this.node, size, 2));
  }

  private convolve(
    op: string,
    weight: Self,
    spatial: number,
    { bias, ...options }: WithBias<ConvOptions, Self>,
  ): Self {
    composite.checkRank(op, weight.node, spatial);
    return this.wrap(composite.convolution(op, this.node, weight.node, bias?.node, options));
  }
  private spread(
    op: string,
    weight: Self,
    spatial: number,
    { bias, ...options }: WithBias<ConvTransposeOptions, Self>,
  ): Self {
    composite.checkRank(op, weight.node, spatial);
    return this.wrap(composite.convTranspose(op, this.node, weight.node, bias?.node, options));
  }
}
