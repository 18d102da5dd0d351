/** @file How A and B begin, by `init_lora_weights` (PEFT, `reset_lora_parameters`). */
import { kaimingUniform, normal, parameterKey } from '@camada/nn';
import { InputError, tensor, type Shape, type Tensor } from '@camada/tensor';
import { linearWeight, type LinearBase } from '../adapter/base.ts';
import type { LoraConfig } from './config.ts';
import { oloraStart } from './olora.ts';
import { pissaStart, type Start } from './pissa.ts';

/** Where a part begins. */
export interface Beginning {
  readonly path: string;
  readonly seed: number;
  /** Rank R. */
  readonly r: number;
  /** Factor s. */
  readonly scale: number;
}

type Init = LoraConfig['init_lora_weights'];

/** Whether the beginning takes its numbers out of the weight. */
export function isResidual(init: Init): boolean {
  return typeof init === 'string' && (init === 'olora' || init.startsWith('pissa'));
}

/** A₀ and B₀ of a beginning that takes them out of the weight. Throws InputError on an unknown one. */
export async function residualStart(
  base: LinearBase,
  init: Init,
  { path, seed, r, scale }: Beginning,
): Promise<Start> {
  const weight = linearWeight(base); // [out, in]
  if (init === 'olora') return oloraStart(weight, r);
  const found = /^pissa(?:_niter_(\d+))?$/.exec(String(init));
  if (!found) throw unknown(init);
  const iterations = found[1] === undefined ? undefined : Number(found[1]);
  const key = parameterKey(seed, `${path}.lora_A.weight`);
  return pissaStart(weight, { r, scale, key }, iterations);
}

/**
 * A [R, in] and B [out, R] of a linear layer: true, uniform in ±1/√in (Kaiming with a = √5) and B zero; `gaussian`,
 * normal with deviation 1/R and B zero; false, both uniform, for tests. Throws InputError on an unknown beginning.
 */
export function linearStart(base: LinearBase, init: Init, { path, seed, r }: Beginning): Start {
  const key = parameterKey(seed, `${path}.lora_A.weight`);
  const a: Shape = [r, base.inFeatures];
  const b: Shape = [base.outFeatures, r];
  const root = Math.sqrt(5);
  if (init === true) return { A: kaimingUniform(a, root, key), B: zeros(b) };
  if (init === 'gaussian') return { A: normal(a, 1 / r, key), B: zeros(b) };
  if (init !== false) throw unknown(init);
  const other = parameterKey(seed, `${path}.lora_B.weight`);
  return { A: kaimingUniform(a, root, key), B: kaimingUniform(b, root, other) };
}

/**
 * A [R, V] and B [C, R] of an embedding [V, C]: A zero and B normal; with false both normal. Throws InputError on
 * beginnings that need a linear layer.
 */
export function embeddingStart(
  [rows = 0, width = 0]: Shape,
  init: Init,
  { path, seed, r }: Beginning,
): Start {
  if (init !== true && init !== 'gaussian' && init !== false) throw unknown(init);
  const draw = (name: string, shape: Shape): Tensor =>
    normal(shape, 1, parameterKey(seed, `${path}.${name}`));
  const A = init === false ? draw('lora_embedding_A', [r, rows]) : zeros([r, rows]);
  return { A, B: draw('lora_embedding_B', [width, r]) };
}

function zeros(shape: Shape): Tensor {
  return tensor(new Float32Array(shape.reduce((n, length) => n * length, 1)), shape);
}

function unknown(init: Init): InputError {
  return new InputError(
    `LoRA: init_lora_weights ${JSON.stringify(init)} is not offered for a new adapter here; use true, "gaussian", ` +
      'false, or, on linear layers, "pissa", "pissa_niter_16" or "olora"',
  );
}
