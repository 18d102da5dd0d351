/** @file LISA in the loop: each layer is a group with an optimizer of its own, which moves only while the layer is drawn. */
import { lisaSchedule } from '@camada/lora';
import type { HeadModel } from '@camada/nn';
import type { TrainingHooks } from './hooks.ts';

/** Settings of LISA. */
export interface LisaSettings {
  /** Layers that train at a time; 2. */
  readonly active?: number;
  /** Steps until others are drawn; 20. */
  readonly every?: number;
}

/** The layer that a parameter is in; undefined for embeddings and head. */
function layerOf(model: HeadModel, name: string): number | undefined {
  return model.layers.find((layer) => name.startsWith(`${layer.name}.`))?.index;
}

/** Draws among the chosen layers. Throws InputError on settings that cannot be. */
export function lisaHooks(
  model: HeadModel,
  layers: readonly number[],
  { active, every }: LisaSettings,
  seed: number,
): TrainingHooks {
  const at = lisaSchedule({
    layers,
    seed,
    ...(active !== undefined && { active }),
    ...(every !== undefined && { every }),
  });
  return {
    group: (name) => String(layerOf(model, name) ?? ''),
    trains: (group, step) => group === '' || at(step).includes(Number(group)),
    phase: (step) => at(step).join(),
  };
}
