/**
 * @file AdaLoRA's training: the importance of every triplet, the budget of triplets by step, and the penalty that keeps
 * the singular vectors orthogonal (Zhang et al. 2023, https://arxiv.org/abs/2303.10512, sections 3.1 to 3.3, and PEFT's
 * `RankAllocator`, whose order of things it follows).
 */
import { concat, eye, InputError, tensor, zeroBuffer, type Tensor } from '@camada/tensor';
import type { Adapter } from '../adapter/adapter.ts';
import type { AdaLoraConfig } from './adalora-config.ts';
import { AdaLoraPart } from './adalora.ts';

/** Smoothed importance of the numbers of one tensor, and how much it varies: both of the tensor's shape. */
interface Importance {
  readonly mean: Tensor;
  readonly spread: Tensor;
}

interface Layer {
  readonly path: string;
  readonly part: AdaLoraPart;
  /** Of A, B and E. */
  readonly importance: Readonly<Record<'A' | 'B' | 'E', Importance>>;
}

/** Gives the ranks of an AdaLoRA adapter to the layers that need them, while it trains. */
export class RankAllocator {
  readonly #config: AdaLoraConfig;
  readonly #names: readonly string[];
  readonly #layers: readonly Layer[];

  /** Throws InputError when the adapter is of another method. */
  constructor(adapter: Adapter<AdaLoraConfig>) {
    this.#config = adapter.config;
    this.#names = [...adapter.trainable.keys()];
    this.#layers = [...adapter.layers].map(([path, part]) => {
      if (!(part instanceof AdaLoraPart))
        throw new InputError(
          `RankAllocator: the adapter is ${adapter.method.peftType}, not ADALORA`,
        );
      const { A, B, E } = part;
      return { path, part, importance: { A: unknown(A), B: unknown(B), E: unknown(E) } };
    });
  }

  /** What is added to the loss: orth_reg_weight · mean of ‖A·Aᵀ − I‖ and ‖Bᵀ·B − I‖ over all layers, Frobenius norms. */
  penalty(): Tensor {
    const terms = this.#layers.flatMap(({ part: { A, B } }) => [
      apartFromIdentity(A.matmul(A.transpose())),
      apartFromIdentity(B.transpose().matmul(B)),
    ]);
    const sum = terms.reduce((total, term) => total.add(term));
    return sum.mul(this.#config.orth_reg_weight / terms.length);
  }

  /** Whether a step (from 0) is one whose gradients count. */
  observes(step: number): boolean {
    const { total_step, tfinal } = this.#config;
    return step < total_step - tfinal;
  }

  /**
   * Queues the update of the importances; to be called after `optimizer.step` in steps that count, with the same
   * gradients, in the order of `adapter.trainable`. Throws InputError when one is missing. Sensitivity |w·∂L/∂w|,
   * smoothed, and how far it strays from that: equations 8 to 10.
   */
  observe(gradients: readonly Tensor[]): void {
    const { beta1, beta2 } = this.#config;
    for (const { path, part, importance } of this.#layers)
      for (const name of ['A', 'B', 'E'] as const) {
        const { mean, spread } = importance[name];
        const gradient = gradients[this.#names.indexOf(`${path}.lora_${name}`)];
        if (!gradient) throw new InputError('RankAllocator: wants a gradient for all that trains');
        const now = part[name].mul(gradient).abs();
        mean.assign(mean.mul(beta1).add(now.mul(1 - beta1)));
        spread.assign(
          spread.mul(beta2).add(
            now
              .sub(mean)
              .abs()
              .mul(1 - beta2),
          ),
        );
      }
  }

  /**
   * Switches off what exceeds the budget; to be called when the step has run. With `observe` it is PEFT's
   * `update_and_allocate`. Reads numbers back in steps that allocate.
   */
  async allocate(step: number): Promise<void> {
    const { total_step, tfinal } = this.#config;
    if (step > total_step - tfinal) this.#mask();
    else if (this.#allocates(step)) await this.#allocate(this.budget(step));
  }

  /** How many triplets are on after a step, in all layers together: a cubic from init_r to target_r. */
  budget(step: number): number {
    const { init_r, target_r, tinit, tfinal, total_step } = this.#config;
    const first = init_r * this.#layers.length;
    const target = target_r * this.#layers.length;
    if (step <= tinit) return first;
    const left = 1 - (step - tinit) / (total_step - tfinal - tinit);
    return left <= 0 ? target : Math.trunc((first - target) * left ** 3 + target);
  }

  #allocates(step: number): boolean {
    const { tinit, tfinal, total_step, deltaT } = this.#config;
    return step === total_step - tfinal || (step > tinit && step % deltaT === 0);
  }

  /** Leaves the most important triplets on, as many as the budget has. */
  async #allocate(budget: number): Promise<void> {
    const scores = await concat(
      this.#layers.map(({ importance }) => tripletScores(importance)),
    ).data();
    const off = scores.length - budget;
    if (off <= 0) return;
    const limit = [...scores].sort((a, b) => a - b)[off - 1]!;
    const r = this.#config.init_r;
    this.#layers.forEach(({ part: { mask } }, i) => {
      const own = scores.slice(i * r, (i + 1) * r);
      mask.assign(
        tensor(
          Float32Array.from(own, (score) => Number(score > limit)),
          mask.shape,
        ),
      );
    });
    this.#mask();
  }

  #mask(): void {
    for (const { part } of this.#layers) part.E.assign(part.E.mul(part.mask));
  }

  /** Importances and masks by name: what a resumed run needs. */
  get state(): ReadonlyMap<string, Tensor> {
    const state = new Map<string, Tensor>();
    for (const { path, part, importance } of this.#layers) {
      state.set(`${path}.mask`, part.mask);
      for (const [name, { mean, spread }] of Object.entries(importance))
        state.set(`${path}.lora_${name}.mean`, mean).set(`${path}.lora_${name}.spread`, spread);
    }
    return state;
  }
}

function unknown({ shape }: Tensor): Importance {
  return { mean: zeroBuffer(shape), spread: zeroBuffer(shape) };
}

function apartFromIdentity(x: Tensor): Tensor {
  return x.sub(eye(x.shape[0]!)).square().sum().sqrt();
}

/** Importance of a triplet: of its singular value, and the means of those of its vectors (equation 7): [R]. */
function tripletScores({ A, B, E }: Layer['importance']): Tensor {
  const score = ({ mean, spread }: Importance): Tensor => mean.mul(spread);
  return score(E).squeeze(1).add(score(A).mean(1)).add(score(B).mean(0));
}
