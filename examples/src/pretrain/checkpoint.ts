/**
 * @file Checkpoints of a pretraining run: weights, both moments of AdamW and the progress, in one safetensors file, so that
 * they cannot come apart. A run that was stopped goes on from the last one.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { InputError, realize, tensor, type Tensor } from '@camada/tensor';
import { openSafetensors, toFloat32, writeSafetensors, type TensorData } from '@camada/hub';
import type { PretrainOptions } from './options.ts';
import type { Trainer } from './trainer.ts';

/** How far a run has come. */
export interface Progress {
  /** Steps made. */
  readonly step: number;
  /** Seconds of training, evaluation and saving included. */
  readonly seconds: number;
}

const optimizerPrefix = 'optimizer:';

/** Writes the checkpoint, whole or not at all. */
export async function saveCheckpoint(
  trainer: Trainer,
  progress: Progress,
  options: PretrainOptions,
): Promise<void> {
  const entries = new Map(await weightsOf(trainer.parameters));
  const state = await trainer.optimizer.state();
  for (const [name, data] of state.tensors)
    entries.set(optimizerPrefix + name, { dtype: 'f32', shape: [data.length], data });
  await writeSafetensors(checkpointPath(options), entries, {
    step: String(progress.step),
    seconds: String(progress.seconds),
    run: fingerprint(options),
  });
}

/**
 * Takes up a checkpoint if there is one; undefined if not, or with `--fresh`. Throws InputError when it belongs to a run
 * with other sizes.
 */
export async function resumeCheckpoint(
  trainer: Trainer,
  options: PretrainOptions,
): Promise<Progress | undefined> {
  const path = checkpointPath(options);
  if (options.fresh || !existsSync(path)) return undefined;
  const file = await openSafetensors(path);
  if (file.metadata['run'] !== fingerprint(options))
    throw new InputError(
      `${path} is of another run (${file.metadata['run']}): add --fresh to drop it`,
    );
  const saved = new Map<string, TensorData>();
  for (const name of file.names) saved.set(name, await file.read(name));
  const progress = {
    step: Number(file.metadata['step']),
    seconds: Number(file.metadata['seconds']),
  };
  restore(trainer, saved, progress.step);
  return progress;
}

function restore(trainer: Trainer, saved: ReadonlyMap<string, TensorData>, steps: number): void {
  const tensors = new Map<string, Float32Array>();
  for (const [name, data] of saved)
    if (name.startsWith(optimizerPrefix))
      tensors.set(name.slice(optimizerPrefix.length), toFloat32(data));
  for (const [name, parameter] of trainer.parameters) {
    const value = saved.get(name);
    if (value === undefined) throw new InputError(`the checkpoint lacks '${name}': add --fresh`);
    parameter.assign(tensor(toFloat32(value), parameter.shape));
  }
  trainer.optimizer.load({ steps, tensors });
}

/** Removes the checkpoint of a finished run, so that the next run begins anew. */
export function dropCheckpoint(options: PretrainOptions): void {
  rmSync(checkpointPath(options), { force: true });
}

/** The current weights by name. */
export async function weightsOf(
  parameters: ReadonlyMap<string, Tensor>,
): Promise<[string, TensorData][]> {
  await realize([...parameters.values()]);
  const entries: [string, TensorData][] = [];
  for (const [name, parameter] of parameters)
    entries.push([name, { dtype: 'f32', shape: parameter.shape, data: await parameter.data() }]);
  return entries;
}

function checkpointPath(options: PretrainOptions): string {
  return join(options.cache, 'checkpoint.safetensors');
}

/** What must agree for a run to go on; the budget may change. */
function fingerprint(options: PretrainOptions): string {
  const { vocabulary, hidden, layers, heads, sequence, batch, share, learningRate, seed } = options;
  return [vocabulary, hidden, layers, heads, sequence, batch, share, learningRate, seed].join(' ');
}
