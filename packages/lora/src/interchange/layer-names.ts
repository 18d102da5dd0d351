/** @file Paths of adapted layers as names within a layer and numbers of layers. */
import type { LayerConfig } from '../peft/common.ts';

/** A path through a list of layers, as PEFT reads it: `model.layers.3.self_attn.q_proj`. */
const IN_LIST = /^.*?\.[^.]*\.(\d+)\.(.+)$/;

/** The name within a layer (`self_attn.q_proj`), or the whole path outside the layers. */
export function nameInLayer(path: string): string {
  return IN_LIST.exec(path)?.[2] ?? path;
}

/** The targets that are these paths and no others: names and layers where every layer has the same, else the paths. */
export function byLayers(
  paths: readonly string[],
): Pick<LayerConfig, 'target_modules' | 'layers_to_transform'> {
  const found = paths.map((path) => IN_LIST.exec(path));
  const layers = new Set(found.map((match) => Number(match?.[1])));
  const names = new Set(found.map((match) => match?.[2] ?? ''));
  if (found.includes(null) || layers.size * names.size !== paths.length)
    return { target_modules: paths, layers_to_transform: null };
  return {
    target_modules: [...names].sort(),
    layers_to_transform: [...layers].sort((a, b) => a - b),
  };
}
