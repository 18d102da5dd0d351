/** @file The low-rank methods: their settings, usual learning rates and what they do in a step. */
import {
  ADALORA,
  adaLoraConfig,
  addAdapter,
  LORA,
  loraConfig,
  loraFaParameters,
  loraPlusRules,
  RankAllocator,
  VERA,
  veraConfig,
  type AdaLoraConfig,
  type LoraConfig,
  type VeraConfig,
} from '@camada/lora';
import type {
  AdapterMethod,
  AdapterOptions,
  AdapterSettings,
  FreshAdapter,
} from './adapter-method.ts';
import type { TrainingHooks } from './hooks.ts';

/** Names of the low-rank methods. */
export type LowRankName =
  'lora' | 'rslora' | 'lora+' | 'lora-fa' | 'dora' | 'pissa' | 'olora' | 'vera' | 'adalora';

/**
 * A learning rate that falls with the width C: factor / C to one digit, at most `most`. (With Adam, the change that a
 * step makes to a layer's output grows with its width; Yang et al. 2022, https://arxiv.org/abs/2203.03466.)
 */
function byWidth(factor: number, most: number): AdapterMethod['learningRate'] {
  return (width) => Math.min(most, Number((factor / width).toPrecision(1)));
}

/** LoRA's: 2e-3 for MiniLM (384), 2e-4 for a width of 4096, where such values are customary. */
const USUAL = byWidth(0.8, 5e-3);

/** Where A and B both begin large, a step moves their product several times as far as LoRA's. */
const OF_WEIGHTS = byWidth(0.4, 2e-3);

/** The low-rank methods by name. The rates were tried on MiniLM: 100 steps on 800 sentences of SST-2. */
export const LOW_RANK: Readonly<Record<LowRankName, AdapterMethod>> = {
  lora: lora(USUAL, {}),
  // The factor on the update is √r times LoRA's.
  rslora: lora(byWidth(0.4, 2e-3), { use_rslora: true }),
  // A learns more slowly than LoRA's matrices, B faster (arXiv 2402.12354, section 4).
  'lora+': lora(byWidth(0.2, 1e-3), {}, (fresh, { ratio }) => ({
    ...fresh,
    hooks: { rules: loraPlusRules(ratio === undefined ? {} : { ratio }) },
  })),
  'lora-fa': lora(USUAL, {}, (fresh) => ({
    ...fresh,
    parameters: loraFaParameters(fresh.adapter),
  })),
  dora: lora(USUAL, { use_dora: true }),
  // Exact decomposition takes minutes a layer beyond a width of a thousand; sixteen iterations come near it.
  pissa: lora(OF_WEIGHTS, { init_lora_weights: 'pissa_niter_16' }),
  olora: lora(OF_WEIGHTS, { init_lora_weights: 'olora' }),
  vera: vera(),
  adalora: adaLora(),
};

function lora(
  learningRate: AdapterMethod['learningRate'],
  own: Partial<LoraConfig>,
  finish: (fresh: FreshAdapter, settings: AdapterSettings) => FreshAdapter = (fresh) => fresh,
): AdapterMethod {
  const config = (settings: AdapterSettings, { shared }: AdapterOptions): LoraConfig =>
    loraConfig({
      ...shared,
      r: settings.r ?? 8,
      lora_alpha: settings.alpha ?? 16,
      lora_dropout: settings.dropout ?? 0,
      bias: settings.bias ?? 'none',
      use_rslora: settings.rslora ?? false,
      ...own,
      ...(settings.ranks && { rank_pattern: settings.ranks }),
      ...(settings.init !== undefined && { init_lora_weights: settings.init }),
    });
  return {
    learningRate,
    check: (settings, options) => void config(settings, options),
    add: async (model, settings, options) => {
      const { seed } = options;
      const adapter = await addAdapter(model, LORA, config(settings, options), { seed });
      return finish({ adapter }, settings);
    },
  };
}

/** Vectors alone train, and take larger steps. */
function vera(): AdapterMethod {
  const config = (settings: AdapterSettings, { shared }: AdapterOptions): VeraConfig =>
    veraConfig({
      ...shared,
      r: settings.r ?? 256,
      vera_dropout: settings.dropout ?? 0,
      bias: settings.bias ?? 'none',
    });
  return {
    learningRate: byWidth(12, 3e-2),
    check: (settings, options) => void config(settings, options),
    add: async (model, settings, options) => {
      const { seed } = options;
      return { adapter: await addAdapter(model, VERA, config(settings, options), { seed }) };
    },
  };
}

function hooksOf(allocator: RankAllocator): TrainingHooks {
  return {
    penalty: () => allocator.penalty(),
    phase: (step) => (allocator.observes(step) ? 'observed' : 'settled'),
    observe: (gradients, step) => {
      if (allocator.observes(step)) allocator.observe(gradients);
    },
    afterStep: (step) => allocator.allocate(step),
    state: allocator.state,
  };
}

/** Ranks fall from 1.5 times the target over the middle of the run, as in the paper's section 4.1. */
function adaLora(): AdapterMethod {
  const config = (settings: AdapterSettings, options: AdapterOptions): AdaLoraConfig => {
    const { r = 8, alpha = 16, dropout = 0, bias = 'none' } = settings;
    const { steps, shared } = options;
    return adaLoraConfig({
      ...shared,
      target_r: r,
      init_r: Math.ceil(1.5 * r),
      lora_alpha: alpha,
      lora_dropout: dropout,
      bias,
      total_step: steps,
      tinit: Math.floor(steps / 10),
      tfinal: Math.floor(steps / 3),
      deltaT: Math.max(1, Math.floor(steps / 100)),
      orth_reg_weight: 0.1,
    });
  };
  return {
    // E begins at zero between small vectors: at LoRA's rate the update takes hundreds of steps to count.
    learningRate: byWidth(3, 1e-2),
    check: (settings, options) => void config(settings, options),
    add: async (model, settings, options) => {
      const { seed } = options;
      const adapter = await addAdapter(model, ADALORA, config(settings, options), { seed });
      const allocator = new RankAllocator(adapter);
      return { adapter, hooks: hooksOf(allocator) };
    },
  };
}
