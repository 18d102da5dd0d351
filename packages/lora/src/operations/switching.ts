/** @file Adapters that come, go and change their weight on a running model. */
import type { Module } from '@camada/nn';
import { InputError } from '@camada/tensor';
import { adapterLayers, removeAdapter, type Adapter } from '../adapter/adapter.ts';
import type { LayerPart } from '../adapter/part.ts';
import { moduleScale, type LoraConfig } from '../lowrank/config.ts';
import { LoraEmbeddingPart } from '../lowrank/lora-embedding.ts';
import { LoraPart } from '../lowrank/lora-part.ts';
import { LORA } from '../lowrank/lora.ts';
import { ResidualPart } from '../lowrank/residual.ts';

/**
 * Makes an adapter count `factor` times what its config says: 1 as trained, 0 not at all (PEFT's `set_scale`). Data:
 * nothing is compiled, and captured steps go on with it. It is not stored with the adapter. Throws InputError when the
 * adapter is no plain LoRA, is merged, or is not on this model.
 */
export function setScale(model: Module, adapter: Adapter, factor: number): void {
  const { name, method, config, layers } = adapter;
  if (!Number.isFinite(factor))
    throw new InputError(`setScale: ${factor} is no scale for '${name}'; a number is needed`);
  const merged = [...adapterLayers(model, adapter).values()].some((layer) => layer.merged);
  if (merged)
    throw new InputError(`setScale: '${name}' is merged into the weights; unmerge it first`);
  const scaled = [...layers].filter((entry): entry is [string, Scaled] => isScaled(entry[1]));
  if (method.peftType !== LORA.peftType || scaled.length < layers.size)
    throw new InputError(`setScale: '${name}' is not plain LoRA and has no scale of its own`);
  for (const [path, part] of scaled)
    // An adapter's config was made by its own method.
    part.scale = factor * moduleScale(path, config as LoraConfig).scale;
}

type Scaled = LoraPart | LoraEmbeddingPart;

function isScaled(part: LayerPart): part is Scaled {
  // PiSSA and OLoRA take a part of the weight out, whatever their own scale.
  if (part instanceof ResidualPart) return false;
  return part instanceof LoraPart || part instanceof LoraEmbeddingPart;
}

/**
 * Takes an adapter off for good and frees its tensors now (PEFT's `delete_adapter`); `removeAdapter` keeps them.
 * Throws InputError when it is not on this model.
 */
export function deleteAdapter(model: Module, adapter: Adapter): void {
  removeAdapter(model, adapter);
  const { layers, shared, part, saved } = adapter;
  const own = [...layers.values()].flatMap(({ tensors }) => [...tensors.values()]);
  own.push(...shared.values(), ...(part?.tensors.values() ?? []));
  for (const tensor of own) tensor.dispose();
  for (const entry of saved.values()) entry.own.dispose();
}
