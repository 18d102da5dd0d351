/** @file Methods that add modules or prompts, or train some of the model's own numbers as an adapter does. */
import {
  ADAPTION_PROMPT,
  BITFIT,
  BOTTLENECK,
  IA3,
  LN_TUNING,
  PREFIX_TUNING,
  PROMPT_TUNING,
  P_TUNING,
  adaptionPromptConfig,
  addAdapter,
  addModelAdapter,
  bitFitConfig,
  bottleneckConfig,
  bottleneckPlaces,
  ia3Config,
  ia3Targets,
  isNorm,
  layerNames,
  linearNames,
  lnTuningConfig,
  magnitudes,
  pTuningConfig,
  prefixTuningConfig,
  promptTuningConfig,
  sparseBy,
  sparseConfig,
  type BottleneckConfig,
  type BottleneckKind,
  type IA3Config,
  type LayerConfig,
  type ModelMethod,
  type PeftConfig,
} from '@camada/lora';
import type { HeadModel } from '@camada/nn';
import type { AdapterMethod, AdapterOptions, AdapterSettings } from './adapter-method.ts';

/** Names of these methods. */
export type AddedName =
  | 'ia3'
  | 'ln'
  | 'bitfit'
  | 'sparse'
  | 'houlsby'
  | 'pfeiffer'
  | 'prompt'
  | 'p-tuning'
  | 'prefix'
  | 'adaption-prompt';

const VIRTUAL_TOKENS = 20;
const tokens = ({ tokens: given = VIRTUAL_TOKENS }: AdapterSettings): number => given;

/** A rate that does not depend on the width. */
const always =
  (rate: number): AdapterMethod['learningRate'] =>
  () =>
    rate;

/** The methods by name. Rates are those of PEFT's own comparison and of the papers, for AdamW. */
export const ADDED: Readonly<Record<AddedName, AdapterMethod>> = {
  ia3: ia3(),
  ln: layerNorms(),
  bitfit: onModel(always(2e-3), BITFIT, (model, settings, { shared, layers }) => {
    const all = layers.length === model.layers.length;
    return bitFitConfig(model, shared, all ? undefined : layers.map((i) => model.layers[i]!.name));
  }),
  sparse: sparse(),
  houlsby: bottleneck('houlsby', 'swish'),
  pfeiffer: bottleneck('pfeiffer', 'relu'),
  prompt: {
    ...onModel(always(1e-2), PROMPT_TUNING, (model, settings, { shared }) =>
      promptTuningConfig(model, { ...shared, num_virtual_tokens: tokens(settings) }),
    ),
    tokens,
  },
  'p-tuning': {
    ...onModel(always(1e-3), P_TUNING, (model, settings, { shared }) =>
      pTuningConfig(model, {
        ...shared,
        num_virtual_tokens: tokens(settings),
        ...(settings.hidden !== undefined && { encoder_hidden_size: settings.hidden }),
      }),
    ),
    tokens,
  },
  prefix: {
    ...onModel(always(1e-2), PREFIX_TUNING, (model, settings, { shared }) =>
      prefixTuningConfig(model, {
        ...shared,
        num_virtual_tokens: tokens(settings),
        prefix_projection: settings.projection ?? false,
        ...(settings.hidden !== undefined && { encoder_hidden_size: settings.hidden }),
      }),
    ),
    tokens,
  },
  'adaption-prompt': onModel(always(5e-3), ADAPTION_PROMPT, (model, settings, options) =>
    adaptionPromptConfig(model, {
      ...options.shared,
      layers: options.layers,
      ...(settings.tokens !== undefined && { adapter_len: settings.tokens }),
    }),
  ),
};

/** A method on a whole model. */
function onModel<C extends PeftConfig>(
  learningRate: AdapterMethod['learningRate'],
  method: ModelMethod<C>,
  config: (model: HeadModel, settings: AdapterSettings, options: AdapterOptions) => C,
): AdapterMethod {
  return {
    learningRate,
    places: 'model',
    check: (settings, options, model) => void config(model, settings, options),
    add: async (model, settings, options) => {
      const { seed } = options;
      const made = config(model, settings, options);
      return { adapter: await addModelAdapter(model, method, made, { seed }) };
    },
  };
}

function ia3(): AdapterMethod {
  const config = (model: HeadModel, { shared }: AdapterOptions): IA3Config => {
    const usual = ia3Targets(model.config.model_type).feedforward_modules as readonly string[];
    const { target_modules: targets } = shared;
    const names = typeof targets === 'string' ? [] : targets;
    const feedforward = names.filter((name) => usual.some((end) => name.endsWith(end)));
    return ia3Config({ ...shared, feedforward_modules: feedforward });
  };
  return {
    learningRate: always(5e-3),
    places: {
      candidates: linearNames,
      targets: ({ config: { model_type } }) => ia3Targets(model_type).target_modules,
    },
    check: (_settings, options, model) => void config(model, options),
    add: async (model, _settings, options) => {
      const { seed } = options;
      return { adapter: await addAdapter(model, IA3, config(model, options), { seed }) };
    },
  };
}

function layerNorms(): AdapterMethod {
  const candidates = (model: HeadModel): string[] => layerNames(model, isNorm);
  const config = ({ shared }: AdapterOptions): LayerConfig => lnTuningConfig(shared);
  return {
    learningRate: always(2e-3),
    places: {
      candidates,
      targets: (model) => [...new Set(candidates(model).map((path) => path.split('.').at(-1)!))],
    },
    check: (_settings, options) => void config(options),
    add: async (model, _settings, options) => ({
      adapter: await addAdapter(model, LN_TUNING, config(options), { seed: options.seed }),
    }),
  };
}

/** The largest weights of each layer train: magnitude needs no data. */
function sparse(): AdapterMethod {
  const config = ({ r = 8 }: AdapterSettings, { shared }: AdapterOptions) =>
    sparseConfig({ ...shared, r, mask_type: 'magnitude' });
  return {
    learningRate: always(5e-4),
    check: (settings, options) => void config(settings, options),
    add: async (model, settings, options) => {
      const { seed } = options;
      const method = sparseBy(await magnitudes(model));
      return { adapter: await addAdapter(model, method, config(settings, options), { seed }) };
    },
  };
}

function bottleneck(kind: BottleneckKind, non_linearity: string): AdapterMethod {
  const config = (
    model: HeadModel,
    { reduction = 16 }: AdapterSettings,
    { shared, layers }: AdapterOptions,
  ): BottleneckConfig =>
    bottleneckConfig({
      ...shared,
      target_modules: bottleneckPlaces(model, kind, layers).map(({ path }) => path),
      reduction_factor: reduction,
      non_linearity,
    });
  return {
    learningRate: always(1e-3),
    places: 'model',
    check: (settings, options, model) => void config(model, settings, options),
    add: async (model, settings, options) => {
      const { seed } = options;
      const made = config(model, settings, options);
      return { adapter: await addAdapter(model, BOTTLENECK, made, { seed }) };
    },
  };
}
