/** @file The method LORA of PEFT: which part a layer gets, and how it begins. */
import { kaimingUniform, parameterKey } from '@camada/nn';
import { InputError, sameShape, showShape, tensor, type Shape, type Tensor } from '@camada/tensor';
import { isLinear, type BaseLayer, type LinearBase } from '../adapter/base.ts';
import type { LayerMethod, Place } from '../method/method.ts';
import { LAYER_KEYS } from '../peft/common.ts';
import { LORA_KEYS, loraRecord, moduleScale, parseLora, type LoraConfig } from './config.ts';
import { LORA_A, LORA_B, LoraPart } from './lora-part.ts';

/** LoRA. */
export const LORA: LayerMethod<LoraConfig> = {
  kind: 'layers',
  peftType: 'LORA',
  keys: [...LAYER_KEYS, ...LORA_KEYS],
  inert: [
    'megatron_core',
    'qalora_group_size',
    'runtime_config',
    'ensure_weight_tying',
    'loftq_config',
    'eva_config',
    'corda_config',
    'lora_ga_config',
  ],
  refused: [
    'use_dora',
    'use_qalora',
    'use_bdlora',
    'lora_bias',
    'layer_replication',
    'target_parameters',
    'trainable_token_indices',
    'alora_invocation_tokens',
    'megatron_config',
    'arrow_config',
    'kasa_config',
    'velora_config',
    'monteclora_config',
  ],
  suffixes: [LORA_A, LORA_B, 'lora_embedding_A', 'lora_embedding_B', 'lora_magnitude_vector'],
  parse: parseLora,
  record: loraRecord,
  wraps: (module): module is BaseLayer => isLinear(module),
  fresh: freshLora,
  restore: restoreLora,
};

function freshLora({ base, path, config }: Place<LoraConfig>, seed: number): LoraPart {
  if (!isLinear(base)) throw new InputError(`LoRA: '${path}' is no linear layer`);
  if (config.init_lora_weights !== true)
    throw new InputError(
      `LoRA: init_lora_weights ${JSON.stringify(config.init_lora_weights)} is not offered for a new adapter; use true`,
    );
  const { r, scale } = moduleScale(path, config);
  const { inFeatures, outFeatures } = base;
  const key = parameterKey(seed, `${path}.${LORA_A}`);
  const a = kaimingUniform([r, inFeatures], Math.sqrt(5), key); // [R, in]
  const b = tensor(new Float32Array(outFeatures * r), [outFeatures, r]); // [out, R]
  return new LoraPart(a, b, { scale, dropout: config.lora_dropout });
}

function restoreLora(
  { base, path, config }: Place<LoraConfig>,
  tensors: ReadonlyMap<string, Tensor>,
): LoraPart {
  if (!isLinear(base)) throw new InputError(`LoRA: '${path}' is no linear layer`);
  const A = tensors.get(LORA_A);
  const B = tensors.get(LORA_B);
  if (!A || !B || tensors.size !== 2)
    throw new InputError(
      `the adapter's module '${path}' has ${[...tensors.keys()].join(', ')}, but needs one A and one B; save it again`,
    );
  const { r, scale } = moduleScale(path, config);
  checkPair(base, path, r, A.shape, B.shape);
  return new LoraPart(A, B, { scale, dropout: config.lora_dropout });
}

/** Throws InputError unless A is [R, in] and B [out, R]. */
function checkPair(base: LinearBase, path: string, r: number, a: Shape, b: Shape): void {
  const { inFeatures, outFeatures } = base;
  if (sameShape(a, [r, inFeatures]) && sameShape(b, [outFeatures, r])) return;
  const own = a[0] === r && b[1] === r;
  throw new InputError(
    `the adapter's '${path}' has A ${showShape(a)} and B ${showShape(b)}, but ` +
      (own
        ? `the model's weight is ${showShape(base.weight.shape)}: was it trained for another model?`
        : `rank ${r} asks for [${r}, in] and [out, ${r}]; the config and the tensors do not belong together`),
  );
}
