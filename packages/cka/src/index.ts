/** @file Representation similarity (CKA) and layer selection. */
export { linearCka, MinibatchCka, StreamingCka } from './linear.ts';
export type { LinearCkaOptions } from './linear.ts';
export type { Estimator } from './gram.ts';
export { pool } from './pool.ts';
export type { Pooling } from './pool.ts';
export { pooledLevels } from './capture.ts';
export type { CaptureOptions } from './capture.ts';
export { layerImportance } from './importance.ts';
export type { ImportanceOptions, ImportanceReport, LayerImportance } from './importance.ts';
export type { Protocol } from './paper.ts';
export { rankLayers, selectLayers } from './select.ts';
export type { Ranked, SelectOptions } from './select.ts';
