/** @file What other packages may import. */
export { LORA_DEFAULTS, loraConfig, type LoraConfig, type LoraOptions } from './peft/config.ts';
export { adapterConfigRecord, parseAdapterConfig, type AdapterConfig } from './peft/config-file.ts';
export {
  adapterFiles,
  readAdapter,
  writeAdapter,
  type AdapterData,
  type LoraPair,
} from './peft/adapter-file.ts';
export { loraKey, parameterKey, parseKey, type AdapterKey, type LoraPart } from './peft/keys.ts';
export {
  defaultTargets,
  isInside,
  layerReader,
  matchTargets,
  moduleScale,
  type TargetConfig,
} from './peft/targets.ts';
export { LoraLinear, LoraMatrix, type LoraLinearOptions } from './lora-linear.ts';
export {
  attach,
  enableAdapter,
  mergeAdapter,
  mergeAndUnload,
  removeAdapter,
  unmergeAdapter,
  type LoraAdapter,
  type SavedParameter,
} from './adapter.ts';
export { injectLora, linearAt, linearNames } from './inject.ts';
export { adapterData, loadAdapter, saveAdapter, type LoadedAdapter } from './store.ts';
