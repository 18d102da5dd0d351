/**
 * @file The random numbers of PyTorch's CPU generator, so that PEFT's VeRA and ours draw the same matrices from the
 * same `projection_prng_key`: MT19937 (Matsumoto & Nishimura 1998, https://doi.org/10.1145/272991.272995).
 */

const SIZE = 624;
const MIDDLE = 397;

/** `torch.Generator().manual_seed(seed)` for floats from `uniform_`. */
export class TorchRandom {
  readonly #state = new Uint32Array(SIZE);
  #next = SIZE;

  /** A generator of a seed, of which the lower 32 bits count. */
  constructor(seed: number) {
    const state = this.#state;
    state[0] = seed >>> 0;
    for (let i = 1; i < SIZE; i++) {
      const last = state[i - 1]!;
      state[i] = Math.imul(1812433253, last ^ (last >>> 30)) + i;
    }
  }

  /** `tensor.uniform_(low, high)`: f32 numbers in [low, high), of 24 random bits each. */
  uniform(count: number, low: number, high: number): Float32Array {
    const from = Math.fround(low);
    const width = Math.fround(Math.fround(high) - from);
    const draw = (): number => (this.#bits() & 0xffffff) * 2 ** -24;
    return Float32Array.from({ length: count }, () => Math.fround(draw() * width) + from);
  }

  #bits(): number {
    if (this.#next === SIZE) this.#renew();
    let x = this.#state[this.#next++]!;
    x ^= x >>> 11;
    x ^= (x << 7) & 0x9d2c5680;
    x ^= (x << 15) & 0xefc60000;
    return (x ^ (x >>> 18)) >>> 0;
  }

  #renew(): void {
    const state = this.#state;
    for (let i = 0; i < SIZE; i++) {
      const x = (state[i]! & 0x80000000) | (state[(i + 1) % SIZE]! & 0x7fffffff);
      const twist = x & 1 ? 0x9908b0df : 0;
      state[i] = state[(i + MIDDLE) % SIZE]! ^ (x >>> 1) ^ twist;
    }
    this.#next = 0;
  }
}
