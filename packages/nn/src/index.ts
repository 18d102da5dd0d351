/** @file The public surface of @camada/nn. */
export {
  countParameters,
  getModule,
  getParameter,
  isModule,
  loadParameters,
  namedModules,
  namedParameters,
  setModule,
  setParameter,
  type LoadedNames,
  type Module,
} from './module.ts';
export { checkpointLayers } from './checkpoint.ts';
export {
  FINAL_HIDDEN,
  createContext,
  hiddenName,
  seedKey,
  type Context,
  type ContextOptions,
  type Entry,
} from './context.ts';
export {
  IGNORED_LABEL,
  createBatch,
  type Batch,
  type BatchLimits,
  type BatchRows,
} from './batch.ts';
export type { Prompting } from './prompting.ts';
export type { GatedPrompt, PastPair, PromptPass, PromptValues } from './prompt-pass.ts';
export { Random } from './rng.ts';
export { initializeParameters, kaimingUniform, normal, parameterKey, uniform } from './init.ts';

export { Linear, linear, type Layer } from './layers/linear.ts';
export { Conv1D } from './layers/conv1d.ts';
export { Embedding } from './layers/embedding.ts';
export { LayerNorm, RMSNorm } from './layers/norm.ts';
export { Dropout, dropout } from './layers/dropout.ts';
export { activation, type Activation } from './layers/activation.ts';
export {
  attention,
  groupedAttention,
  mergeHeads,
  softCapped,
  splitHeads,
  type HeadShape,
  type ScoreOptions,
} from './layers/attention.ts';
export { MASKED, causalBias, paddingBias } from './layers/mask.ts';
export { RotaryTables, rotate, type Rotation } from './layers/rotary.ts';
export { ropeFrequencies, type RopeParameters, type RopeScaling } from './layers/rope-scaling.ts';
export {
  SENTENCE_POOLINGS,
  firstToken,
  lastToken,
  meanPool,
  sentenceEmbedding,
  type SentenceOptions,
  type SentencePooling,
} from './layers/pool.ts';

export {
  hiddenStates,
  type HeadModel,
  type HeadOutput,
  type LastHidden,
  type LayerInfo,
  type Model,
  type ModelConfig,
  type Output,
} from './models/model.ts';
export { checkPrefix, enterAt, prefixState } from './models/prefix.ts';
export { parseBertConfig, type BertConfig } from './models/bert-config.ts';
export { BertModel } from './models/bert.ts';
export {
  BertForMaskedLM,
  BertForSequenceClassification,
  BertForTokenClassification,
} from './models/bert-heads.ts';
export {
  DistilBertForMaskedLM,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
  DistilBertModel,
  parseDistilBertConfig,
  type DistilBertConfig,
} from './models/distilbert.ts';
export {
  RobertaForMaskedLM,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
  RobertaModel,
  parseRobertaConfig,
} from './models/roberta.ts';
export { parseDebertaConfig, type DebertaConfig } from './models/deberta-config.ts';
export { DebertaV2Model } from './models/deberta.ts';
export {
  DebertaV2ForMaskedLM,
  DebertaV2ForSequenceClassification,
  DebertaV2ForTokenClassification,
} from './models/deberta-heads.ts';
export {
  ModernBertModel,
  parseModernBertConfig,
  type ModernBertConfig,
} from './models/modernbert.ts';
export {
  ModernBertForMaskedLM,
  ModernBertForSequenceClassification,
  ModernBertForTokenClassification,
} from './models/modernbert-heads.ts';
export { MaskedHead, SequenceHead, type Encoder } from './models/encoder.ts';
export { parseLlamaConfig, type LlamaConfig } from './models/llama-config.ts';
export { CausalLM } from './models/decoder/causal.ts';
export { DecoderClassifier } from './models/decoder/classifier.ts';
export type { DecoderConfig, LayerType } from './models/decoder/config.ts';
export type { CacheRows, KeyValueCache } from './models/decoder/cache.ts';
export { MODEL_TYPES, emptyModel, modelFromConfig, supportedTasks } from './models/registry.ts';
export type { LabelConfig, ProblemType } from './models/labels.ts';
export type { HeadTask, ModelOptions, Task } from './models/architecture.ts';
export { loadWeights, type LoadOptions, type LoadReport } from './models/weights.ts';
export type { WeightEntry, WeightFile } from './models/weight-file.ts';

export { QuantizedEmbedding, QuantizedLinear } from './quantized/layers.ts';
export type { PackOptions } from './quantized/load.ts';
export {
  countWeights,
  isPacked,
  packedLayers,
  weightValues,
  type PackedLayer,
  type WeightValue,
} from './quantized/inspect.ts';
export { requantize, type QuantizationError } from './quantized/requantize.ts';
export { fromBlocks, PACKED_TYPES, type PackedBlocks } from './quantized/blocks.ts';
export { QUANTIZATIONS, quantize, type Quantization } from './quantized/quantize.ts';
export { QuantizedWeight, type Codes, type WeightParts } from './quantized/weight.ts';
export type { Lanes, Plane, Scales } from './quantized/scales.ts';

export {
  crossEntropy,
  crossEntropySum,
  type CrossEntropyOptions,
  type CrossEntropySum,
} from './loss/cross-entropy.ts';
export { bceWithLogits } from './loss/bce.ts';
export { mseLoss } from './loss/mse.ts';

export {
  decayWeightsOnly,
  isBiasOrNorm,
  type Optimizer,
  type OptimizerState,
  type ParameterRule,
  type ParameterRules,
} from './optim/optimizer.ts';
export { Adam, type AdamOptions } from './optim/adam.ts';
export { AdamW, type AdamWOptions } from './optim/adamw.ts';
export { AdamW8bit, type AdamW8bitOptions } from './optim/adamw-8bit.ts';
export { Adafactor, type AdafactorOptions } from './optim/adafactor.ts';
export { Lion, type LionOptions } from './optim/lion.ts';
export { SGD, type SGDOptions } from './optim/sgd.ts';
export { clipGradNorm, globalNorm, type Clipped } from './optim/clip.ts';
export {
  SCHEDULES,
  schedule,
  type Schedule,
  type ScheduleName,
  type ScheduleOptions,
} from './optim/schedule.ts';

export { argmax, probabilities, sampleToken, type SampleOptions } from './sample.ts';
export {
  generate,
  generateBatch,
  generateSteps,
  generateTokens,
  type GeneratedStep,
} from './generate/generate.ts';
export type { GenerateOptions } from './generate/options.ts';
export { beforeStop, type StoppedText } from './generate/stop-strings.ts';
