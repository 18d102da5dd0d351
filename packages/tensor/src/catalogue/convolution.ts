/** @file Records of convolutions and pooling, each as the sum over taps that defines it. */
import type { ConvolutionMethods } from '../methods/convolution.ts';
import type { IndexingMethods } from '../methods/indexing.ts';
import type { Tensor } from '../tensor.ts';
import type { Draw } from './draw.ts';
import { at, fromIndex, indicesOf, type HostArray } from './host.ts';
import { FLOAT, type OpCase, type OpRecord, type Records } from './record.ts';

/** How one drawn window lies on every spatial axis. */
interface Drawn {
  readonly size: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
}

/** A window, and sizes of spatial axes on which at least one fits. */
function drawWindow(draw: Draw, spatial: number): { drawn: Drawn; sizes: number[] } {
  const size = draw.int(1, 3);
  const [stride, dilation] = [draw.int(1, 3), draw.int(1, 2)];
  const padding = draw.int(0, Math.floor(size / 2));
  const least = dilation * (size - 1) + 1;
  const sizes = Array.from({ length: spatial }, () => draw.int(least, least + 4));
  return { drawn: { size, stride, padding, dilation }, sizes };
}

function count(n: number, { size, stride, padding, dilation }: Drawn): number {
  return Math.floor((n + 2 * padding - dilation * (size - 1) - 1) / stride) + 1;
}

/** Taps of a window. */
const taps = (spatial: number, size: number): number[][] =>
  indicesOf(Array.from({ length: spatial }, () => size));

/** Where tap k of the window at p lies. */
const place = (p: readonly number[], k: readonly number[], d: Drawn): number[] =>
  p.map((q, i) => q * d.stride + k[i]! * d.dilation - d.padding);

const inside = (index: readonly number[], sizes: readonly number[]): boolean =>
  index.every((q, i) => q >= 0 && q < sizes[i]!);

const text = ({ stride, padding, dilation }: Drawn): string =>
  `stride: ${stride}, padding: ${padding}, dilation: ${dilation}`;

function convolution(name: 'conv1d' | 'conv2d', spatial: number): OpRecord {
  const sample = (draw: Draw): OpCase => {
    const { drawn, sizes } = drawWindow(draw, spatial);
    const { size, stride, padding, dilation } = drawn;
    const [n, groups, inner] = [draw.int(1, 2), draw.int(1, 3), draw.int(1, 2)];
    const out = groups * draw.int(1, 2);
    const windows = taps(spatial, size);
    const kernel = sizes.map(() => size);
    return {
      inputs: [
        draw.array([n, groups * inner, ...sizes]),
        draw.array([out, inner, ...kernel]),
        draw.array([out]),
      ],
      call: `x.${name}(y, { ${text(drawn)}, groups: ${groups}, bias: z })`,
      run: ([x, y, z]) => x![name](y!, { stride, padding, dilation, groups, bias: z! }),
      reference: ([x, y, z]) =>
        fromIndex([n, out, ...sizes.map((m) => count(m, drawn))], 'f32', ([b, o, ...p]) => {
          const first = Math.floor(o! / (out / groups)) * inner;
          let sum = z!.data[o!]!;
          for (let c = 0; c < inner; c++)
            for (const k of windows) {
              const q = place(p, k, drawn);
              if (inside(q, sizes)) sum += at(x!, [b!, first + c, ...q]) * at(y!, [o!, c, ...k]);
            }
          return sum;
        }),
    };
  };
  return { dtypes: FLOAT, gradient: 'smooth', tolerance: 2e-5, sample };
}

function transposed(name: 'convTranspose1d' | 'convTranspose2d', spatial: number): OpRecord {
  const sample = (draw: Draw): OpCase => {
    const { drawn } = drawWindow(draw, spatial);
    const { size, stride, padding, dilation } = drawn;
    const sizes = Array.from({ length: spatial }, () => draw.int(2, 5));
    const [n, groups, inner, outer] = [1, draw.int(1, 2), draw.int(1, 2), draw.int(1, 2)];
    const outputPadding = draw.int(0, stride - 1);
    const length = (m: number): number =>
      (m - 1) * stride - 2 * padding + dilation * (size - 1) + outputPadding + 1;
    const windows = taps(spatial, size);
    const kernel = sizes.map(() => size);
    return {
      inputs: [
        draw.array([n, groups * inner, ...sizes]),
        draw.array([groups * inner, outer, ...kernel]),
      ],
      call: `x.${name}(y, { ${text(drawn)}, groups: ${groups}, outputPadding: ${outputPadding} })`,
      run: ([x, y]) => x![name](y!, { stride, padding, dilation, groups, outputPadding }),
      reference: ([x, y]) =>
        fromIndex([n, groups * outer, ...sizes.map(length)], 'f32', ([b, o, ...p]) => {
          const group = Math.floor(o! / outer);
          let sum = 0;
          for (let c = group * inner; c < (group + 1) * inner; c++)
            for (const k of windows)
              for (const q of indicesOf(sizes)) {
                const meets = place(q, k, drawn).every((r, i) => r === p[i]);
                if (meets) sum += at(x!, [b!, c, ...q]) * at(y!, [c, o! % outer, ...k]);
              }
          return sum;
        }),
    };
  };
  return { dtypes: FLOAT, gradient: 'smooth', tolerance: 2e-5, sample };
}

/** Values of a window, without those that padding stands for. */
function windowValues(x: HostArray, index: readonly number[], d: Drawn, spatial: number): number[] {
  const sizes = x.shape.slice(2);
  const places = taps(spatial, d.size).map((k) => place(index.slice(2), k, d));
  return places.filter((q) => inside(q, sizes)).map((q) => at(x, [...index.slice(0, 2), ...q]));
}

function maximum(name: 'maxPool1d' | 'maxPool2d', spatial: number): OpRecord {
  const sample = (draw: Draw): OpCase => {
    const { drawn, sizes } = drawWindow(draw, spatial);
    const { size, stride, padding, dilation } = drawn;
    const head = [draw.int(1, 2), draw.int(1, 3)];
    return {
      inputs: [draw.distinct([...head, ...sizes])],
      call: `x.${name}(${size}, { ${text(drawn)} })`,
      run: ([x]) => x![name](size, { stride, padding, dilation }),
      reference: ([x]) =>
        fromIndex([...head, ...sizes.map((n) => count(n, drawn))], 'f32', (index) =>
          Math.max(...windowValues(x!, index, drawn, spatial)),
        ),
    };
  };
  return { dtypes: FLOAT, gradient: 'smooth', tolerance: 0, sample };
}

function mean(name: 'avgPool1d' | 'avgPool2d', spatial: number): OpRecord {
  const sample = (draw: Draw): OpCase => {
    const { drawn: any, sizes } = drawWindow(draw, spatial);
    const drawn = { ...any, dilation: 1 };
    const { size, stride, padding } = drawn;
    const head = [draw.int(1, 2), draw.int(1, 3)];
    const countIncludePad = draw.flag();
    return {
      inputs: [draw.array([...head, ...sizes])],
      call: `x.${name}(${size}, { stride: ${stride}, padding: ${padding}, countIncludePad: ${countIncludePad} })`,
      run: ([x]) => x![name](size, { stride, padding, countIncludePad }),
      reference: ([x]) =>
        fromIndex([...head, ...sizes.map((n) => count(n, drawn))], 'f32', (index) => {
          const values = windowValues(x!, index, drawn, spatial);
          const sum = values.reduce((a, b) => a + b, 0);
          return sum / (countIncludePad ? size ** spatial : values.length);
        }),
    };
  };
  return { dtypes: FLOAT, gradient: 'smooth', tolerance: 1e-5, sample };
}

function adaptive(name: 'adaptiveAvgPool1d' | 'adaptiveAvgPool2d', spatial: number): OpRecord {
  const sample = (draw: Draw): OpCase => {
    const size = draw.int(1, 3);
    const drawn = { size: draw.int(1, 3), stride: 1, padding: 0, dilation: 1 };
    const part = { ...drawn, stride: drawn.size };
    const sizes = Array.from({ length: spatial }, () => size * drawn.size);
    const head = [draw.int(1, 2), draw.int(1, 3)];
    return {
      inputs: [draw.array([...head, ...sizes])],
      call: `x.${name}(${size})`,
      run: ([x]) => x![name](size),
      reference: ([x]) =>
        fromIndex([...head, ...sizes.map(() => size)], 'f32', (index) => {
          const values = windowValues(x!, index, part, spatial);
          return values.reduce((a, b) => a + b, 0) / values.length;
        }),
    };
  };
  return { dtypes: FLOAT, gradient: 'smooth', tolerance: 1e-5, sample };
}

/** Records of convolutions and pooling. */
export const CONVOLUTION_OPS: Records<ConvolutionMethods<Tensor>, IndexingMethods<Tensor>> = {
  conv1d: convolution('conv1d', 1),
  conv2d: convolution('conv2d', 2),
  convTranspose1d: transposed('convTranspose1d', 1),
  convTranspose2d: transposed('convTranspose2d', 2),
  maxPool1d: maximum('maxPool1d', 1),
  maxPool2d: maximum('maxPool2d', 2),
  avgPool1d: mean('avgPool1d', 1),
  avgPool2d: mean('avgPool2d', 2),
  adaptiveAvgPool1d: adaptive('adaptiveAvgPool1d', 1),
  adaptiveAvgPool2d: adaptive('adaptiveAvgPool2d', 2),
};
