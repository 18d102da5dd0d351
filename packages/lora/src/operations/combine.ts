/** @file One adapter out of several: PEFT's `add_weighted_adapter`. What the kinds mean stands in `combination.ts`. */
import { parameterKey, type Module } from '@camada/nn';
import { InputError, tensor, type Tensor } from '@camada/tensor';
import { adaptersOf, attach, type Adapter } from '../adapter/adapter.ts';
import { isEmbedding } from '../adapter/base.ts';
import { isLowRank, type LayerPart } from '../adapter/part.ts';
import type { SavedParameter } from '../adapter/saved.ts';
import type { HostFactors } from '../inspect/decompose.ts';
import { partFactors } from '../inspect/factors.ts';
import { loraConfig, type LoraConfig } from '../lowrank/config.ts';
import { EMBEDDING_A, EMBEDDING_B } from '../lowrank/lora-embedding.ts';
import { LORA_A, LORA_B } from '../lowrank/lora-part.ts';
import { LORA } from '../lowrank/lora.ts';
import { baseAt } from '../method/add.ts';
import type { LayerConfig } from '../peft/common.ts';
import type { SignElection } from './arithmetic.ts';
import { combineFactors, type Combination, type CombinationType } from './combination.ts';

/** Settings of a combination, in PEFT's names. */
export interface CombineOptions {
  /** Name of the new adapter. */
  readonly name: string;
  /** `svd` when left out; of one adapter alone always `linear`, as in PEFT. */
  readonly combination_type?: CombinationType;
  /** Rank of the result of the `svd` kinds; the largest rank of the adapters when left out. */
  readonly svd_rank?: number;
  /** Share of the numbers that the pruning kinds keep, above 0 to 1; they need it. */
  readonly density?: number;
  /** How `ties` decides on signs; `total` when left out. */
  readonly majority_sign_method?: SignElection;
  /** Seed of DARE's choice; 0 when left out. */
  readonly seed?: number;
}

/** An adapter and its weight. */
interface Source {
  readonly adapter: Adapter;
  readonly weight: number;
}

/**
 * Puts an adapter that combines others, by name and weight, onto their model and switches it on and the others off. It
 * is a LoRA of scale 1; `modules_to_save` come from the one adapter that has them. Throws InputError when an adapter is not
 * there or has no two factors, ranks differ where they must not, or more than one adapter trains parameters in full.
 */
export async function addWeightedAdapter(
  model: Module,
  weights: Readonly<Record<string, number>>,
  options: CombineOptions,
): Promise<Adapter<LoraConfig>> {
  const sources = Object.entries(weights).map(([name, weight]) => sourceOf(model, name, weight));
  if (sources.length === 0) throw new InputError('add_weighted_adapter: no adapter is named');
  const type = sources.length === 1 ? 'linear' : (options.combination_type ?? 'svd');
  const how: Combination = {
    type,
    rank: newRank(type, sources, options),
    density: densityOf(type, options),
    election: options.majority_sign_method ?? 'total',
    key: (name) => parameterKey(options.seed ?? 0, name),
  };
  const saver = savingSource(sources);
  const config = combinedConfig(sources, how.rank, saver);
  const layers = new Map<string, LayerPart>();
  for (const path of new Set(sources.flatMap(({ adapter }) => [...adapter.layers.keys()])))
    if (sources.some(({ adapter }) => hasUpdate(adapter.layers.get(path))))
      layers.set(path, await combinedPart(model, path, { sources, how, config }));
  const saved = await copied(saver);
  const parts = { name: options.name, method: LORA, config, layers, shared: new Map() };
  return attach(model, { ...parts, part: undefined, saved });
}

function sourceOf(model: Module, name: string, weight: number): Source {
  const adapter = adaptersOf(model).get(name);
  if (!adapter)
    throw new InputError(
      `add_weighted_adapter: the model has no adapter '${name}'; it has ${[...adaptersOf(model).keys()].join(', ') || 'none'}`,
    );
  if (!Number.isFinite(weight))
    throw new InputError(`add_weighted_adapter: the weight of '${name}' is ${weight}`);
  if (adapter.layers.size > 0 && [...adapter.layers.values()].every(isLowRank))
    return { adapter, weight };
  throw new InputError(
    `add_weighted_adapter: '${name}' (${adapter.method.peftType}) adds no update s·B·A; only those can be combined`,
  );
}

/** Largest rank of an adapter's layers. */
function rankOf({ adapter }: Source): number {
  const ranks = [...adapter.layers.values()].map((part) =>
    isLowRank(part) ? part.factors().A.shape[0]! : 0,
  );
  return Math.max(...ranks);
}

function newRank(
  type: CombinationType,
  sources: readonly Source[],
  options: CombineOptions,
): number {
  const ranks = sources.map(rankOf);
  if (type === 'cat') return ranks.reduce((sum, rank) => sum + rank, 0);
  if (type.endsWith('svd')) {
    const rank = options.svd_rank ?? Math.max(...ranks);
    if (Number.isSafeInteger(rank) && rank >= 1) return rank;
    throw new InputError(
      `add_weighted_adapter: svd_rank is ${rank}; a whole number from 1 is needed`,
    );
  }
  if (new Set(ranks).size === 1) return ranks[0]!;
  throw new InputError(
    `add_weighted_adapter: ${type} needs equal ranks, these are ${ranks.join(', ')}; use svd or cat`,
  );
}

function densityOf(type: CombinationType, { density }: CombineOptions): number {
  if (!/ties|dare|prune/.test(type)) return 1;
  if (density !== undefined && density > 0 && density <= 1) return density;
  throw new InputError(
    `add_weighted_adapter: ${type} needs a density above 0 to 1 (the share of numbers to keep), got ${density}`,
  );
}

/** The one adapter that trains parameters in full, whose copies cannot be added up. */
function savingSource(sources: readonly Source[]): Adapter | undefined {
  const saving = sources.map(({ adapter }) => adapter).filter(({ saved }) => saved.size > 0);
  if (saving.length <= 1) return saving[0];
  throw new InputError(
    `add_weighted_adapter: ${saving.map(({ name }) => name).join(' and ')} both train parameters in full ` +
      '(modules_to_save, biases), which cannot be combined',
  );
}

/** Settings that name the layers of all: the shared ones where they agree, else every layer by its path. */
function combinedConfig(
  sources: readonly Source[],
  rank: number,
  saver: Adapter | undefined,
): LoraConfig {
  const configs = sources.map(({ adapter }) => adapter.config as LayerConfig); // on layers
  const targets = configs.map(
    ({ target_modules, exclude_modules, layers_to_transform, layers_pattern }) => ({
      target_modules:
        typeof target_modules === 'string' ? target_modules : [...target_modules].sort(),
      exclude_modules,
      layers_to_transform,
      layers_pattern,
    }),
  );
  const agreed = new Set(targets.map((target) => JSON.stringify(target))).size === 1;
  const paths = new Set(sources.flatMap(({ adapter }) => [...adapter.layers.keys()]));
  const { task_type, base_model_name_or_path, fan_in_fan_out } = configs[0]!;
  return loraConfig({
    ...(agreed ? targets[0]! : { target_modules: [...paths] }),
    task_type,
    base_model_name_or_path,
    fan_in_fan_out,
    r: rank,
    lora_alpha: rank,
    modules_to_save: saver?.config.modules_to_save ?? null,
    bias: saver ? (saver.config as LayerConfig).bias : 'none',
  });
}

/** AdaLoRA may have given a layer up. */
function hasUpdate(part: LayerPart | undefined): boolean {
  return part !== undefined && isLowRank(part) && part.factors().A.size > 0;
}

async function combinedPart(
  model: Module,
  path: string,
  { sources, how, config }: { sources: readonly Source[]; how: Combination; config: LoraConfig },
): Promise<LayerPart> {
  const own = sources.filter(({ adapter }) => hasUpdate(adapter.layers.get(path)));
  const updates: HostFactors[] = [];
  for (const { adapter } of own) updates.push(await partFactors(adapter.layers.get(path)!));
  const key = (name: string, i: number): ReturnType<Combination['key']> =>
    how.key(`${path}.${own[i]!.adapter.name}.${name}`, i);
  const weights = own.map(({ weight }) => weight);
  const { A, B } = combineFactors(updates, weights, { ...how, key });
  const base = baseAt(model, path);
  const [a, b] = isEmbedding(base) ? [EMBEDDING_A, EMBEDDING_B] : [LORA_A, LORA_B];
  const tensors = new Map([
    [a, A.toTensor()],
    [b, B.toTensor()],
  ]);
  return LORA.restore({ path, base, config, shared: new Map() }, tensors);
}

async function copied(saver: Adapter | undefined): Promise<Map<string, SavedParameter>> {
  const copies = new Map<string, SavedParameter>();
  for (const [name, { base, own }] of saver?.saved ?? [])
    copies.set(name, { base, own: await copy(own) });
  return copies;
}

async function copy(x: Tensor): Promise<Tensor> {
  return tensor(await x.data(), x.shape);
}
