/**
 * @file Rotary position embedding (Su et al. 2021, https://arxiv.org/abs/2104.09864) in Hugging Face's layout:
 * component i of a head is paired with component i + D/2, not with its neighbour.
 */
import { concat, tensor, type Tensor } from '@camada/tensor';

/** Cosines and sines of the angles, one row a position. */
export interface Rotation {
  /** [T, D/2]. */
  readonly cos: Tensor;
  /** [T, D/2]. */
  readonly sin: Tensor;
}

/** The tables of one head width and base, kept by length. */
export class RotaryTables {
  readonly #width: number;
  readonly #theta: number;
  readonly #tables = new Map<number, Rotation>();

  /** @param width D, even. @param theta base of the frequencies, `rope_theta`. */
  constructor(width: number, theta: number) {
    this.#width = width;
    this.#theta = theta;
  }

  /** Angles t·θ^(−2i/D) for positions 0 … length − 1, computed in f64 on the host. */
  at(length: number): Rotation {
    const known = this.#tables.get(length);
    if (known) return known;
    const rotation = { cos: this.#table(length, Math.cos), sin: this.#table(length, Math.sin) };
    this.#tables.set(length, rotation);
    return rotation;
  }

  #table(length: number, of: (angle: number) => number): Tensor {
    const half = this.#width / 2;
    const values = new Float32Array(length * half);
    for (let i = 0; i < values.length; i++) {
      const frequency = this.#theta ** (-(i % half) / half);
      values[i] = of(Math.floor(i / half) * frequency);
    }
    return tensor(values, [length, half]);
  }
}

/** Rotates each head x [..., T, D] by the angle of its position; norms are kept. */
export function rotate(x: Tensor, { cos, sin }: Rotation): Tensor {
  const half = x.shape.at(-1)! / 2;
  const first = x.slice(-1, 0, half); // [..., T, D/2]
  const second = x.slice(-1, half, 2 * half);
  return concat([first.mul(cos).sub(second.mul(sin)), second.mul(cos).add(first.mul(sin))], -1);
}
