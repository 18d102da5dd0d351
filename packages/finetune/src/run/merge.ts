/** @file A model with its adapter as one plain model. */
import { InputError } from '@camada/tensor';
import type { SaveOptions } from '@camada/hub';
import { mergeAndUnload } from '@camada/lora';
import { cutLength } from '../data/encode.ts';
import type { LoadedModel } from '../model/load.ts';
import { buildNetwork, trainedFor } from '../model/network.ts';
import type { Files } from '../save/folder.ts';
import { modelFiles } from '../save/model.ts';

/** Files of a model folder in which the adapter's weights are part of the model's, in a format of choice. Throws InputError without adapter. */
export async function merge(loaded: LoadedModel, options: SaveOptions = {}): Promise<Files> {
  if (!loaded.adapter)
    throw new InputError(
      `${loaded.name} was opened without an adapter; there is nothing to merge.`,
    );
  const trained = trainedFor(loaded);
  const network = await buildNetwork(loaded, trained);
  if (network.adapter) await mergeAndUnload(network.model, network.adapter);
  const { task, labels, model } = network;
  const known = loaded.adapter.maxLength;
  const maxLength = known ?? cutLength(undefined, model.limits, loaded.tokenizer);
  return modelFiles(loaded, network, { task, labels: labels?.names ?? null, maxLength }, options);
}
