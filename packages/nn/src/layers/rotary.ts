/**
 * @file Rotary position embedding (Su et al. 2021, https://arxiv.org/abs/2104.09864) in Hugging Face's layout:
 * component i of a head is paired with component i + D/2, not with its neighbour.
 */
import { concat, tensor, type Tensor } from '@camada/tensor';
import {
  dependsOnLength,
  ropeFrequencies,
  rotationFactor,
  type RopeParameters,
} from './rope-scaling.ts';

/** Cosines and sines of the angles, one row a position. */
export interface Rotation {
  /** [T, D/2], or [B, 1, T, D/2] where rows have positions of their own. */
  readonly cos: Tensor;
  /** As `cos`. */
  readonly sin: Tensor;
}

/** The tables of one rotary embedding, kept by length. */
export class RotaryTables {
  readonly #rope: RopeParameters;
  readonly #tables = new Map<string, Rotation>();

  /** @param rope all of it, or the number D of components that turn, even, with `theta`. */
  constructor(rope: RopeParameters | number, theta = 10000) {
    this.#rope =
      typeof rope === 'number' ? { width: rope, theta, scaling: { rope_type: 'default' } } : rope;
  }

  /**
   * Angles of positions 0 … rows − 1, computed in f64 on the host.
   * @param length tokens of the longest text, on which some frequencies depend; `rows` when left out.
   */
  at(rows: number, length: number = rows): Rotation {
    const key = dependsOnLength(this.#rope) ? `${rows} ${length}` : String(rows);
    const known = this.#tables.get(key);
    if (known) return known;
    const frequencies = ropeFrequencies(this.#rope, length);
    const rotation = {
      cos: this.#table(rows, frequencies, Math.cos),
      sin: this.#table(rows, frequencies, Math.sin),
    };
    this.#tables.set(key, rotation);
    return rotation;
  }

  #table(rows: number, frequencies: Float64Array, of: (angle: number) => number): Tensor {
    const half = frequencies.length;
    const factor = rotationFactor(this.#rope);
    const values = new Float32Array(rows * half);
    for (let i = 0; i < values.length; i++)
      values[i] = factor * of(Math.floor(i / half) * frequencies[i % half]!);
    return tensor(values, [rows, half]);
  }
}

/**
 * Rotates each head x [..., T, D] by the angle of its position. Components beyond those of the tables stay as they
 * are.
 */
export function rotate(x: Tensor, { cos, sin }: Rotation): Tensor {
  const half = cos.shape.at(-1)!;
  const first = x.slice(-1, 0, half); // [..., T, D/2]
  const second = x.slice(-1, half, 2 * half);
  const turned = [first.mul(cos).sub(second.mul(sin)), second.mul(cos).add(first.mul(sin))];
  const width = x.shape.at(-1)!;
  return concat(2 * half === width ? turned : [...turned, x.slice(-1, 2 * half, width)], -1);
}
