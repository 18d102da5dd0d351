/**
 * @file Convolutions and pooling as products and reductions of windows. Windows are views, so padding, stride and
 * dilation are index arithmetic: pooling reads its input in place, and a convolution is one copy of windows and
 * one product (Chellapilla et al. 2006, "High performance convolutional neural networks").
 */
import { ShapeError } from '../../errors.ts';
import { showShape, sizeOf, type Shape } from '../../shape.ts';
import * as build from '../build.ts';
import type { Node } from '../node.ts';
import { coordinate } from './join.ts';
import { fold, movedim, sliceAxis, unfold } from './movement.ts';
import { literal } from './literal.ts';

const { elementwise } = build;

/** A number for all spatial axes, or one for each. */
export type PerAxis = number | readonly number[];

/** How windows lie on the spatial axes. */
export interface WindowOptions {
  /** Distance of windows. Default 1; of pooling the window's size. */
  readonly stride?: PerAxis;
  /** Elements added at both ends. `valid` is 0, `same` (stride 1 only) keeps the size. Default 0. */
  readonly padding?: PerAxis | 'valid' | 'same';
  /** Distance of elements inside a window. Default 1. */
  readonly dilation?: PerAxis;
}

/** One spatial axis. */
interface Window {
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
}

function perAxis(op: string, name: string, value: PerAxis, count: number, least: number): number[] {
  const list = typeof value === 'number' ? new Array<number>(count).fill(value) : [...value];
  if (list.length !== count || list.some((n) => !Number.isInteger(n) || n < least))
    throw new ShapeError(
      `${op}: ${name} must be a whole number of at least ${least}, or ${count} of them, got ${showShape(list)}`,
    );
  return list;
}

/** The windows that the options describe. Throws ShapeError. */
function windowsOf(op: string, sizes: readonly number[], options: WindowOptions): Window[] {
  const count = sizes.length;
  const stride = perAxis(op, 'stride', options.stride ?? 1, count, 1);
  const dilation = perAxis(op, 'dilation', options.dilation ?? 1, count, 1);
  const { padding = 0 } = options;
  if (padding === 'same' && stride.some((n) => n !== 1))
    throw new ShapeError(`${op}: padding 'same' needs stride 1, got ${showShape(stride)}`);
  const named = typeof padding === 'string';
  const given = perAxis(op, 'padding', named ? 0 : padding, count, 0);
  return sizes.map((size, i) => {
    const total = padding === 'same' ? dilation[i]! * (size - 1) : 2 * given[i]!;
    const before = Math.floor(total / 2);
    return { size, stride: stride[i]!, dilation: dilation[i]!, before, after: total - before };
  });
}

/** [N, C, ...S] padded on the spatial axes. */
function padded(x: Node, windows: readonly Window[], value: number): Node {
  const first = x.shape.length - windows.length;
  const counts = (of: (window: Window) => number): number[] =>
    x.shape.map((_, i) => (i < first ? 0 : of(windows[i - first]!)));
  return build.pad(
    x,
    counts(({ before }) => before),
    counts(({ after }) => after),
    value,
  );
}

/** [N, C, ...S] → [N, C, ...windows, ...elements]. Throws ShapeError where none fits. */
function slide(x: Node, windows: readonly Window[], value: number): Node {
  const first = x.shape.length - windows.length;
  return windows.reduce(
    (view, { size, stride, dilation }, i) => unfold(view, first + i, size, stride, dilation),
    padded(x, windows, value),
  );
}

/** Runs `f` with a batch axis, which is added and removed again where x has none. Throws ShapeError on other ranks. */
function batched(op: string, x: Node, spatial: number, f: (x: Node) => Node): Node {
  if (x.shape.length === spatial + 2) return f(x);
  if (x.shape.length !== spatial + 1)
    throw new ShapeError(
      `${op}: wants [N, C, ${spatial === 1 ? 'L' : 'H, W'}], got ${showShape(x.shape)}`,
    );
  const y = f(build.reshape(x, [1, ...x.shape]));
  return build.reshape(y, y.shape.slice(1));
}

/** Options of a convolution. */
export interface ConvOptions extends WindowOptions {
  /** Input and output channels are cut into so many groups that do not see each other. Default 1. */
  readonly groups?: number;
}

/** Throws ShapeError unless the weight has an axis for each channel kind and `spatial` more. */
export function checkRank(op: string, weight: Node, spatial: number): void {
  if (weight.shape.length !== spatial + 2)
    throw new ShapeError(
      `${op}: wants a weight of ${spatial + 2} axes, got ${showShape(weight.shape)}`,
    );
}

/** Throws ShapeError unless weight [O, C/groups, ...K] fits C channels. */
function checkWeight(op: string, weight: Node, channels: number, groups: number): void {
  const [out = 0, inner = 0] = weight.shape;
  const whole = Number.isInteger(groups) && groups >= 1 && out % groups === 0;
  if (!whole || inner * groups !== channels)
    throw new ShapeError(
      `${op}: weight ${showShape(weight.shape)} in ${groups} groups does not fit ${channels} input channels`,
    );
}

/**
 * Convolution (cross-correlation, as everywhere in deep learning) over the weight's spatial axes of x [N, C, ...S] with weight [O, C/groups, ...K]:
 * [N, O, ...windows], f32, plus bias [O]. Without N likewise. Throws ShapeError.
 */
export function convolution(
  op: string,
  x: Node,
  weight: Node,
  bias: Node | undefined,
  options: ConvOptions,
): Node {
  const { groups = 1 } = options;
  const spatial = weight.shape.length - 2;
  const windows = windowsOf(op, weight.shape.slice(2), options);
  return batched(op, x, spatial, (batch) => {
    checkWeight(op, weight, batch.shape[1]!, groups);
    const view = slide(build.cast(batch, 'f32'), windows, 0); // [N, C, ...P, ...K]
    const depthwise = groups === batch.shape[1] && weight.shape[0] === groups && groups > 1;
    const y = depthwise ? eachChannel(view, weight) : product(view, weight, groups);
    return withBias(op, y, bias);
  });
}

function withBias(op: string, y: Node, bias: Node | undefined): Node {
  if (!bias) return y;
  const [, channels] = y.shape;
  if (bias.shape.length !== 1 || bias.shape[0] !== channels)
    throw new ShapeError(`${op}: bias must be [${channels}], got ${showShape(bias.shape)}`);
  const ones = y.shape.map((n, i) => (i === 1 ? n : 1));
  return elementwise('add', [y, build.reshape(bias, ones)]);
}

/** Windows [N, C, ...P, ...K] times weight [O, C/G, ...K] as one product a batch and group: [N, O, ...P]. */
function product(view: Node, weight: Node, groups: number): Node {
  const spatial = weight.shape.length - 2;
  const [n, channels] = view.shape as [number, number];
  const places = view.shape.slice(2, 2 + spatial);
  const taps = view.shape.slice(2 + spatial);
  const depth = (channels / groups) * sizeOf(taps);
  const axes = Array.from({ length: spatial }, (_, i) => i);
  const order = [0, 1, ...axes.map((i) => 2 + spatial + i), ...axes.map((i) => 2 + i)];
  const columns = build.reshape(build.permute(view, order), [n, groups, depth, sizeOf(places)]);
  const out = weight.shape[0]!;
  const rows = build.reshape(weight, [1, groups, out / groups, depth]);
  const y = build.matmul(build.expand(rows, [n, ...rows.shape.slice(1)]), columns);
  return build.reshape(y, [n, out, ...places]);
}

/** One filter a channel: a weighted sum of each window, which reads the input in place. */
function eachChannel(view: Node, weight: Node): Node {
  const taps = weight.shape.slice(2);
  const places = taps.map(() => 1);
  const filter = build.reshape(weight, [weight.shape[0]!, ...places, ...taps]);
  const axes = taps.map((_, i) => view.shape.length - taps.length + i);
  return build.reduce('sum', elementwise('mul', [view, filter]), axes);
}

/** Options of a transposed convolution. */
export interface ConvTransposeOptions extends Omit<ConvOptions, 'padding'> {
  /** Elements cut off at both ends. Default 0. */
  readonly padding?: PerAxis;
  /** Elements added at the end, where several input sizes give one output size. Default 0. */
  readonly outputPadding?: PerAxis;
}

/**
 * The gradient of a convolution with respect to its input, as an op: x [N, C, ...S] spread by weight [C, O/groups, ...K] to
 * [N, O, ...(S−1)·stride − 2·padding + dilation·(K−1) + outputPadding + 1]. Throws ShapeError.
 */
export function convTranspose(
  op: string,
  x: Node,
  weight: Node,
  bias: Node | undefined,
  options: ConvTransposeOptions,
): Node {
  const { groups = 1, outputPadding = 0 } = options;
  const spatial = weight.shape.length - 2;
  const windows = windowsOf(op, weight.shape.slice(2), options);
  const extra = perAxis(op, 'outputPadding', outputPadding, spatial, 0);
  return batched(op, x, spatial, (batch) => {
    const columns = spread(op, build.cast(batch, 'f32'), weight, groups);
    const y = windows.reduceRight((sum, { stride, dilation, before }, i) => {
      const whole = fold(sum, 2 + i, stride, dilation);
      return crop(op, whole, 2 + i, before, extra[i]!);
    }, columns);
    return withBias(op, y, bias);
  });
}

/** x [N, C, ...S] times weight [C, O/G, ...K]: [N, O, ...S, ...K]. */
function spread(op: string, x: Node, weight: Node, groups: number): Node {
  const [n, channels, ...places] = x.shape as [number, number, ...number[]];
  const [inner, out, ...taps] = weight.shape as [number, number, ...number[]];
  if (inner !== channels || channels % groups !== 0)
    throw new ShapeError(
      `${op}: weight ${showShape(weight.shape)} in ${groups} groups does not fit ${channels} input channels`,
    );
  const depth = channels / groups;
  const rows = build.reshape(weight, [1, groups, depth, out * sizeOf(taps)]);
  const left = build.permute(build.expand(rows, [n, ...rows.shape.slice(1)]), [0, 1, 3, 2]);
  const right = build.reshape(x, [n, groups, depth, sizeOf(places)]);
  const y = build.reshape(build.matmul(left, right), [n, groups * out, ...taps, ...places]);
  const from = taps.map((_, i) => 2 + i);
  const to = taps.map((_, i) => 2 + taps.length + i);
  return movedim(y, from, to);
}

/** Cuts `padding` off both ends of an axis but for the last `extra`. */
function crop(op: string, x: Node, axis: number, padding: number, extra: number): Node {
  const length = x.shape[axis]! - 2 * padding + extra;
  if (length < 1)
    throw new ShapeError(`${op}: padding ${padding} leaves nothing of ${showShape(x.shape)}`);
  const missing = Math.max(0, padding + length - x.shape[axis]!);
  const only = x.shape.map((_, i) => (i === axis ? missing : 0));
  const longer = build.pad(
    x,
    x.shape.map(() => 0),
    only,
    0,
  );
  return sliceAxis(longer, axis, { start: padding, length, step: 1 });
}

/** Windows for pooling, each as one last axis [N, C, ...P, K]; `value` is what padding holds. */
function pooled(
  op: string,
  x: Node,
  size: PerAxis,
  spatial: number,
  options: WindowOptions,
  value: number,
): { view: Node; windows: readonly Window[] } {
  const sizes = perAxis(op, 'size', size, spatial, 1);
  const windows = windowsOf(op, sizes, { ...options, stride: options.stride ?? sizes });
  if (windows.some((window) => window.before > window.size / 2))
    throw new ShapeError(`${op}: padding may be at most half the window ${showShape(sizes)}`);
  const view = slide(x, windows, value);
  return { view: flattened(view, spatial), windows };
}

function flattened(view: Node, spatial: number): Node {
  const outer = view.shape.slice(0, -spatial);
  return build.reshape(view, [...outer, sizeOf(view.shape.slice(-spatial))]);
}

/**
 * Largest element of each window of [N, C, ...S]; the gradient goes to the first that is largest, as in PyTorch. A
 * NaN is the largest. Throws ShapeError.
 */
export function maxPool(
  op: string,
  x: Node,
  size: PerAxis,
  spatial: number,
  options: WindowOptions,
): Node {
  return batched(op, x, spatial, (batch) => {
    const { view } = pooled(op, batch, size, spatial, options, -Infinity);
    return firstMaximum(view);
  });
}

/** Maximum over the last axis, whose gradient goes to the first place that holds it. */
function firstMaximum(view: Node): Node {
  const last = view.shape.length - 1;
  const count = view.shape[last]!;
  const value = build.reduce('max', view, [last]);
  const keep = (y: Node): Node => build.reshape(y, [...y.shape, 1]);
  return build.customGradient(value, [view], ([input], y, dy) => {
    const place = coordinate(view.shape, last);
    const x = build.detach(input!);
    const largest = elementwise('eq', [x, keep(build.detach(y))]);
    const wins = elementwise('or', [largest, elementwise('ne', [x, x])]);
    const none = build.constant(count - 1, [], 'i32');
    const first = build.reduce('min', elementwise('where', [wins, place, none]), [last]);
    const here = elementwise('eq', [place, keep(first)]);
    return [elementwise('where', [here, keep(dy), literal(0, dy)])];
  });
}

/** Options of average pooling. */
export interface AvgPoolOptions extends WindowOptions {
  /** Whether padding counts as elements. Default true, as in PyTorch. */
  readonly countIncludePad?: boolean;
}

/** Mean of each window of [N, C, ...S], f32. Throws ShapeError. */
export function avgPool(
  op: string,
  x: Node,
  size: PerAxis,
  spatial: number,
  options: AvgPoolOptions,
): Node {
  return batched(op, x, spatial, (batch) => {
    const real = build.cast(batch, 'f32');
    const { view, windows } = pooled(op, real, size, spatial, options, 0);
    const last = view.shape.length - 1;
    const total = build.reduce('sum', view, [last]);
    const padding = windows.some(({ before, after }) => before + after > 0);
    if (!padding || (options.countIncludePad ?? true))
      return elementwise('mul', [total, literal(1 / view.shape[last]!, total)]);
    const ones = build.constant(
      1,
      batch.shape.map((n, i) => (i < 2 ? 1 : n)),
      'f32',
    );
    const counts = build.reduce('sum', flattened(slide(ones, windows, 0), spatial), [last]);
    return elementwise('div', [total, counts]);
  });
}

/** Mean pooling to `size` elements an axis, which must divide the axis. Throws ShapeError. */
export function adaptiveAvgPool(op: string, x: Node, size: PerAxis, spatial: number): Node {
  const sizes = perAxis(op, 'size', size, spatial, 1);
  const axes: Shape = x.shape.slice(-spatial);
  if (sizes.some((n, i) => axes[i]! % n !== 0 || axes[i] === 0))
    throw new ShapeError(
      `${op}: ${showShape(sizes)} must divide the spatial axes of ${showShape(x.shape)}`,
    );
  return avgPool(
    op,
    x,
    sizes.map((n, i) => axes[i]! / n),
    spatial,
    {},
  );
}
