/** @file What other packages may import. */
export {
  addedNumbers,
  adaptersOf,
  adapterLayers,
  attach,
  enableAdapter,
  mergeAdapter,
  mergeAndUnload,
  ownParameter,
  removeAdapter,
  setActiveAdapters,
  unmergeAdapter,
  type Adapter,
  type AdapterParts,
} from './adapter/adapter.ts';
export { AdapterLayer } from './adapter/layer.ts';
export {
  isAdditive,
  isLowRank,
  type AdditivePart,
  type Factors,
  type LayerPart,
  type LowRankPart,
  type ModelPart,
} from './adapter/part.ts';
export type { BaseLayer, LinearBase, Weights } from './adapter/base.ts';
export { checkpointParameters, type SavedParameter } from './adapter/saved.ts';
export {
  addAdapter,
  addModelAdapter,
  injectLora,
  layerNames,
  linearNames,
  type AddOptions,
} from './method/add.ts';
export type { LayerMethod, Method, ModelMethod, Place, Stored } from './method/method.ts';
export { METHODS, methodOf } from './method/registry.ts';
export { LORA_DEFAULTS, loraConfig, type LoraConfig, type LoraOptions } from './lowrank/config.ts';
export { LORA } from './lowrank/lora.ts';
export { LoraEmbeddingPart } from './lowrank/lora-embedding.ts';
export { DoraEmbeddingPart, DoraPart } from './lowrank/dora.ts';
export { ResidualPart } from './lowrank/residual.ts';
export { VERA, veraConfig, type VeraConfig, type VeraOptions } from './lowrank/vera.ts';
export { ADALORA, AdaLoraPart } from './lowrank/adalora.ts';
export {
  adaLoraConfig,
  type AdaLoraConfig,
  type AdaLoraOptions,
} from './lowrank/adalora-config.ts';
export { RankAllocator } from './lowrank/rank-allocator.ts';
export { loraPlusRules, type LoraPlusOptions } from './lowrank/lora-plus.ts';
export { loraFaCorrection, loraFaParameters, type GradientCorrection } from './lowrank/lora-fa.ts';
export { LoraPart, type LoraNumbers } from './lowrank/lora-part.ts';
export {
  PROMPT_TUNING,
  promptTuningConfig,
  promptTuningFrom,
  type PromptInit,
  type PromptTuningConfig,
  type PromptTuningOptions,
} from './prompt/prompt-tuning.ts';
export {
  P_TUNING,
  pTuningConfig,
  type PTuningConfig,
  type PTuningOptions,
} from './prompt/p-tuning.ts';
export {
  PREFIX_TUNING,
  prefixTuningConfig,
  type PrefixTuningConfig,
  type PrefixTuningOptions,
} from './prompt/prefix-tuning.ts';
export {
  ADAPTION_PROMPT,
  adaptionPromptConfig,
  type AdaptionPromptConfig,
  type AdaptionPromptOptions,
} from './prompt/adaption-prompt.ts';
export { IA3, ia3Config, ia3Targets, type IA3Config, type IA3Options } from './added/ia3.ts';
export { LN_TUNING, lnTuningConfig, type LnTuningOptions } from './added/ln-tuning.ts';
export { isNorm } from './adapter/base.ts';
export {
  SHIRA,
  SparsePart,
  sparseBy,
  sparseConfig,
  type SparseConfig,
  type SparseOptions,
} from './added/sparse.ts';
export {
  BOTTLENECK,
  bottleneckConfig,
  type BottleneckConfig,
  type BottleneckOptions,
} from './added/bottleneck.ts';
export { bottleneckPlaces, type BottleneckKind, type Placement } from './added/sites.ts';
export { loadHubAdapter, saveHubAdapter } from './added/hub-folder.ts';
export { lisaSchedule, type LisaOptions, type LisaSchedule } from './partial/lisa.ts';
export { BITFIT, bitFitConfig } from './partial/bitfit.ts';
export { fisherScores, magnitudes } from './partial/scores.ts';
export {
  USUAL_C,
  crossValidate,
  fitLogistic,
  meanLoss,
  type CrossValidated,
  type Features,
  type LogisticFit,
  type LogisticOptions,
} from './partial/logistic.ts';
export type { BiasChoice, LayerConfig, PeftConfig } from './peft/common.ts';
export { adapterConfigRecord, parseAdapterConfig, type AdapterConfig } from './peft/config-file.ts';
export { adapterFiles, readAdapter, writeAdapter, type AdapterData } from './peft/adapter-file.ts';
export { layerKey, parameterKey, parseKey, type AdapterKey } from './peft/keys.ts';
export {
  defaultTargets,
  isInside,
  layerReader,
  matchTargets,
  type TargetConfig,
} from './peft/targets.ts';
export { moduleScale } from './lowrank/config.ts';
export { adapterData, loadAdapter, saveAdapter, type LoadedAdapter } from './store.ts';
export { BASE_ROWS, mixAdapters, MixedAdapters } from './operations/mixed.ts';
export type { RowContext, RowPart } from './adapter/rows.ts';
export { deleteAdapter, setScale } from './operations/switching.ts';
export { addWeightedAdapter, type CombineOptions } from './operations/combine.ts';
export { COMBINATIONS, type CombinationType } from './operations/combination.ts';
export type { SignElection } from './operations/arithmetic.ts';
export { adapterNames, loadAdapters, saveAdapters } from './interchange/folders.ts';
export { openAdapter } from './interchange/open.ts';
export { mlxFiles } from './interchange/mlx.ts';
export { adapterFactors, partFactors } from './inspect/factors.ts';
export { amplification, type Amplification } from './inspect/amplification.ts';
export { decompose, type Decomposition, type HostFactors } from './inspect/decompose.ts';
export { measureUpdate, type UpdateMeasures } from './inspect/measures.ts';
export {
  similarityOfAll,
  spaceOf,
  subspaceSimilarity,
  type UpdateSpace,
} from './inspect/similarity.ts';
export { nameInLayer } from './interchange/layer-names.ts';
