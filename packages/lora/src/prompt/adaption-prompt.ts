/**
 * @file ADAPTION_PROMPT, the LLaMA-Adapter (Zhang et al. 2023, https://arxiv.org/abs/2303.16199): attention of the top
 * blocks also looks at A learnt rows, apart from the text, and a gate that begins at 0 says how much they count. One gate a
 * block as in PEFT, or one a head as in the paper, which PEFT cannot read.
 */
import type { Config, JsonRecord } from '@camada/hub';
import {
  normal,
  parameterKey,
  type GatedPrompt,
  type Model,
  type Module,
  type Prompting,
  type PromptValues,
} from '@camada/nn';
import { InputError, tensor, type Tensor } from '@camada/tensor';
import type { ModelPart } from '../adapter/part.ts';
import type { ModelMethod } from '../method/method.ts';
import { PEFT_KEYS, readPeftFields, wrongField, type PeftConfig } from '../peft/common.ts';
import { parameterKey as storedKey } from '../peft/keys.ts';
import { checkCount } from './config.ts';
import { putPrompting, takePrompting, transformer } from './part.ts';

/** Settings of an adaption prompt. */
export interface AdaptionPromptConfig extends PeftConfig {
  /** Name of the attention in a block: `self_attn`, for GPT-2 `attn`. */
  readonly target_modules: string;
  /** A, learnt rows a block. */
  readonly adapter_len: number;
  /** How many blocks have them, from the top. */
  readonly adapter_layers: number;
  /** Which blocks have them, where they are not the top ones; a key that PEFT does not have. */
  readonly layers_to_transform: readonly number[] | null;
  /** One gate a head; a key that PEFT does not have. */
  readonly per_head_gate: boolean;
}

/** What a user says. */
export type AdaptionPromptOptions = Partial<PeftConfig> & {
  /** 10, as in the paper. */
  readonly adapter_len?: number;
  /** Blocks; all but the lowest two (the paper's 30 of 32) where nothing is said. */
  readonly layers?: readonly number[];
  readonly per_head_gate?: boolean;
};

/** Name of the attention, by architecture: those that PEFT offers. */
const ATTENTION: Readonly<Record<string, string>> = {
  llama: 'self_attn',
  mistral: 'self_attn',
  gpt2: 'attn',
};

const LENGTH = 10;

/** Complete settings for a model. Throws InputError for an architecture or a layer that there is not. */
export function adaptionPromptConfig(
  model: Model,
  options: AdaptionPromptOptions = {},
): AdaptionPromptConfig {
  const count = model.layers.length;
  const usual = Array.from({ length: Math.max(1, count - 2) }, (_, i) => count - 1 - i);
  const blocks = [...(options.layers ?? usual)].sort((a, b) => a - b);
  const top = blocks.every((block, i) => block === count - blocks.length + i);
  const config: AdaptionPromptConfig = {
    task_type: options.task_type ?? null,
    base_model_name_or_path: options.base_model_name_or_path ?? null,
    modules_to_save: options.modules_to_save ?? null,
    target_modules: attentionOf(model),
    adapter_len: options.adapter_len ?? LENGTH,
    adapter_layers: blocks.length,
    layers_to_transform: top ? null : blocks,
    per_head_gate: options.per_head_gate ?? false,
  };
  checkCount(config.adapter_len, 'adaption prompt', 'adapter_len');
  blocksOf(model, config);
  return config;
}

function attentionOf({ config }: Model): string {
  const name = Object.hasOwn(ATTENTION, config.model_type)
    ? ATTENTION[config.model_type]
    : undefined;
  if (name !== undefined) return name;
  throw new InputError(
    `adaption prompts are offered for ${Object.keys(ATTENTION).join(', ')}, as in PEFT, not for ${config.model_type}`,
  );
}

function blocksOf(model: Model, config: AdaptionPromptConfig): readonly number[] {
  const count = model.layers.length;
  const { layers_to_transform, adapter_layers } = config;
  const blocks =
    layers_to_transform ??
    Array.from({ length: adapter_layers }, (_, i) => count - adapter_layers + i);
  if (blocks.length > 0 && blocks.every((block) => block >= 0 && block < count)) return blocks;
  throw new InputError(
    `adaption prompts in the blocks ${blocks.join(', ') || '(none)'} do not fit a model of ${count} blocks`,
  );
}

function parse(source: Config): AdaptionPromptConfig {
  const layers = source.get('layers_to_transform');
  const good = (x: unknown): x is number => Number.isSafeInteger(x);
  if (layers !== undefined && !(Array.isArray(layers) && layers.every(good)))
    throw wrongField(source.file, 'layers_to_transform', layers, 'a list of whole numbers');
  const config = {
    ...readPeftFields(source),
    target_modules: source.string('target_modules'),
    adapter_len: source.integer('adapter_len'),
    adapter_layers: source.integer('adapter_layers'),
    layers_to_transform: layers ?? null,
    per_head_gate: source.boolean('per_head_gate', false),
  };
  checkCount(config.adapter_len, source.file, 'adapter_len');
  checkCount(config.adapter_layers, source.file, 'adapter_layers');
  return config;
}

function record(config: AdaptionPromptConfig): JsonRecord {
  const { layers_to_transform, per_head_gate, modules_to_save, ...known } = config;
  return {
    ...known,
    ...(modules_to_save && { modules_to_save }), // PEFT's config has no such key
    ...(layers_to_transform && { layers_to_transform }),
    ...(per_head_gate && { per_head_gate }),
  };
}

/** Adaption prompts. */
export const ADAPTION_PROMPT: ModelMethod<AdaptionPromptConfig> = {
  kind: 'model',
  peftType: 'ADAPTION_PROMPT',
  keys: [
    ...PEFT_KEYS,
    'target_modules',
    'adapter_len',
    'adapter_layers',
    'layers_to_transform',
    'per_head_gate',
  ],
  parse,
  record,
  owns: (key) => /\.adaption_(prompt|gate)$/.test(key),
  fresh: freshGated,
  restore: restoreGated,
};

function freshGated(module: Module, config: AdaptionPromptConfig, seed: number): ModelPart {
  const model = transformer(module);
  const shapes = gatedShapes(model, config);
  return gatedPart(model, config, (name, kind) => {
    if (kind === 'prompt') return normal(shapes.prompt, 1, parameterKey(seed, name));
    return tensor(new Float32Array(shapes.gates), shapes.gate);
  });
}

function restoreGated(
  module: Module,
  config: AdaptionPromptConfig,
  tensors: ReadonlyMap<string, Tensor>,
): ModelPart {
  const model = transformer(module);
  const shapes = gatedShapes(model, config);
  return gatedPart(model, config, (name, kind) => {
    const found = tensors.get(storedKey(name));
    if (found && found.shape.join() === shapes[kind].join()) return found;
    throw new InputError(
      `the adapter's '${name}' is ${found ? `[${found.shape.join(', ')}]` : 'missing'}, but must be ` +
        `[${shapes[kind].join(', ')}]: was it trained for another model?`,
    );
  });
}

function gatedShapes({ config }: Model, { adapter_len, per_head_gate }: AdaptionPromptConfig) {
  const gates = per_head_gate ? config.num_attention_heads : 1;
  return {
    prompt: [1, adapter_len, config.hidden_size],
    gate: per_head_gate ? [1, gates, 1, 1] : [1],
    gates,
  } as const;
}

function gatedPart(
  model: Model,
  config: AdaptionPromptConfig,
  read: (name: string, kind: 'prompt' | 'gate') => Tensor,
): ModelPart {
  if (attentionOf(model) !== config.target_modules)
    throw wrongField(
      'adaption prompt',
      'target_modules',
      config.target_modules,
      attentionOf(model),
    );
  const named = new Map<string, Tensor>();
  const gated = new Map<number, GatedPrompt>();
  for (const block of blocksOf(model, config)) {
    const path = `${model.layers[block]!.name}.${config.target_modules}`;
    const part = (kind: 'prompt' | 'gate'): Tensor => {
      const name = `${path}.adaption_${kind}`;
      const value = read(name, kind);
      named.set(name, value);
      return value;
    };
    const gate = part('gate');
    gated.set(block, { prompt: part('prompt'), gate });
  }
  return new GatedPart(named, gated);
}

class GatedPart implements ModelPart, Prompting {
  readonly tokens = 0;
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly trainable: ReadonlyMap<string, Tensor>;
  readonly #gated: ReadonlyMap<number, GatedPrompt>;

  constructor(named: ReadonlyMap<string, Tensor>, gated: ReadonlyMap<number, GatedPrompt>) {
    this.trainable = named;
    this.tensors = new Map([...named].map(([name, value]) => [storedKey(name), value]));
    this.#gated = gated;
  }

  /** Prompts as rows. */
  values(): PromptValues {
    const rows = [...this.#gated].map(
      ([block, { prompt, gate }]) => [block, { prompt: prompt.squeeze(0), gate }] as const,
    );
    return { gated: new Map(rows) };
  }

  attach(model: Module): void {
    putPrompting(model, this);
  }

  detach(model: Module): void {
    takePrompting(model, this);
  }
}
