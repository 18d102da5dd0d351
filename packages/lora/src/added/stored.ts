/** @file Files of methods whose config in PEFT has no `layers_to_transform`: the chosen layers are named in full. */
import type { JsonRecord } from '@camada/hub';
import type { LayerPart } from '../adapter/part.ts';
import type { Stored } from '../method/method.ts';
import type { LayerConfig } from '../peft/common.ts';

/** An adapter's settings with the paths of its layers where layers were chosen by number. */
export function storedAtPaths<C extends LayerConfig>(
  config: C,
  layers: ReadonlyMap<string, LayerPart>,
): Promise<Stored<C>> {
  const tensors = new Map([...layers].map(([path, part]) => [path, part.tensors]));
  if (!config.layers_to_transform) return Promise.resolve({ config, layers: tensors });
  const named = {
    ...config,
    target_modules: [...layers.keys()],
    layers_to_transform: null,
    layers_pattern: null,
  };
  return Promise.resolve({ config: withInputs(named, config), layers: tensors });
}

/** PEFT wants `feedforward_modules` to be some of `target_modules`, by the same names. */
function withInputs<C extends LayerConfig>(named: C, config: C): C {
  if (!('feedforward_modules' in config)) return named;
  const ends = config.feedforward_modules as readonly string[]; // a list, as target_modules is
  const paths = named.target_modules as readonly string[];
  const inputs = paths.filter((path) => ends.some((end) => path.endsWith(end)));
  return { ...named, feedforward_modules: inputs };
}

/** The record to write without the keys that only LoRA's config has. */
export function onlyPeftKeys(config: LayerConfig): JsonRecord {
  const { layers_to_transform: _layers, layers_pattern: _pattern, bias: _bias, ...known } = config;
  const { exclude_modules, ...old } = known;
  return { ...old, ...(exclude_modules?.length ? { exclude_modules } : {}) };
}
