/** @file Where bottleneck adapters sit in an architecture, and what the library `adapters` calls those places. */
import type { Model } from '@camada/nn';
import { InputError } from '@camada/tensor';

/** Which adapters: two in a block, or one behind a LayerNorm. */
export type BottleneckKind = 'houlsby' | 'pfeiffer';

/** A place in a block. */
export interface Site {
  /** The linear layer that an adapter follows, from the block down. */
  readonly dense: string;
  /** The LayerNorm after the residual; undefined in architectures that normalise before a half of a block. */
  readonly norm?: string;
  /** Name of the place in files of `adapters`. */
  readonly hub: string;
}

interface Sites {
  readonly attention: Site;
  readonly output: Site;
}

const BERT: Sites = {
  attention: {
    dense: 'attention.output.dense',
    norm: 'attention.output.LayerNorm',
    hub: 'attention.output',
  },
  output: { dense: 'output.dense', norm: 'output.LayerNorm', hub: 'output' },
};

const LLAMA: Sites = {
  attention: { dense: 'self_attn.o_proj', hub: 'attention_adapters' },
  output: { dense: 'mlp.down_proj', hub: 'output_adapters' },
};

const SITES: Readonly<Record<string, Sites>> = {
  bert: BERT,
  roberta: BERT,
  'xlm-roberta': BERT,
  'deberta-v2': BERT,
  distilbert: {
    attention: { dense: 'attention.out_lin', norm: 'sa_layer_norm', hub: 'attention_adapters' },
    output: { dense: 'ffn.lin2', norm: 'output_layer_norm', hub: 'output_adapters' },
  },
  gpt2: {
    attention: { dense: 'attn.c_proj', hub: 'attention_adapters' },
    output: { dense: 'mlp.c_proj', hub: 'output_adapters' },
  },
  llama: LLAMA,
  mistral: LLAMA,
  qwen2: LLAMA,
  qwen3: LLAMA,
};

/** A place of a model: where an adapter sits, and its name in files. */
export interface Placement {
  readonly path: string;
  readonly hub: string;
}

/**
 * The places of adapters in chosen blocks. Throws InputError for an architecture without known places, and for
 * Pfeiffer's where no LayerNorm follows the residual.
 */
export function bottleneckPlaces(
  model: Model,
  kind: BottleneckKind,
  layers: readonly number[] = model.layers.map(({ index }) => index),
): Placement[] {
  const sites = sitesOf(model.config.model_type);
  const chosen = kind === 'houlsby' ? [sites.attention, sites.output] : [sites.output];
  return layers.flatMap((layer) => {
    const block = model.layers[layer];
    if (!block)
      throw new InputError(`the model has no layer ${layer}; it has ${model.layers.length}`);
    return chosen.map((site) => ({
      path: `${block.name}.${kind === 'houlsby' ? site.dense : normOf(site, model)}`,
      hub: `${block.name}.${site.hub}`,
    }));
  });
}

function sitesOf(modelType: string): Sites {
  const sites = Object.hasOwn(SITES, modelType) ? SITES[modelType] : undefined;
  if (sites) return sites;
  throw new InputError(
    `bottleneck adapters have no known places in ${modelType}; offered are ${Object.keys(SITES).join(', ')}`,
  );
}

function normOf({ norm }: Site, model: Model): string {
  if (norm !== undefined) return norm;
  throw new InputError(
    `Pfeiffer's adapters are behind the LayerNorm that follows a residual, which ${model.config.model_type} does not have; ` +
      'use houlsby',
  );
}
