/** @file Training steps of whole models: GPT-2 blocks with fixed weights, and a BERT in full or with LoRA. */
import { grad } from '@camada/autograd';
import { injectLora } from '@camada/lora';
import {
  AdamW,
  createBatch,
  createContext,
  loadParameters,
  modelFromConfig,
  namedParameters,
} from '@camada/nn';
import { estimate, realize, tensor } from '@camada/tensor';
import * as gpt from '../../programs/gpt.mjs';
import * as minilm from '../../programs/minilm.mjs';
import { counted } from './counted.mjs';

/** A step over one fixed batch that is uploaded each time; before its third run it estimates the bytes at the peak. */
function trainer({ model, parameters, optimizer, rows, learningRate, device, said }) {
  let number = 0;
  return async () => {
    const batch = createBatch(rows, model.limits);
    const context = createContext({ training: true, step: number++ });
    const loss = model.loss(model.call(batch, context), batch);
    optimizer.step(grad(loss, [...parameters.values()]), learningRate);
    if (number === 3) said.estimated = estimatedPeak(device, [loss, ...parameters.values()]);
    await realize([loss]);
    const value = await loss.item();
    loss.dispose();
    return value;
  };
}

/** What is on the device, weights and moments included, and what lives inside the run. */
function estimatedPeak(device, wanted) {
  const { scratchBytes } = estimate(wanted, device.backend.scheduleLimits);
  return device.memory().live + scratchBytes;
}

/** The GPT of `programs/gpt.mjs`; `params` may change its sizes. */
export function gptStep(params, device) {
  const config = { ...gpt.GPT, ...params };
  const model = modelFromConfig(gptConfig(config), 'causal-lm');
  const initial = new Map(
    gpt
      .initialParameters(config)
      .map(({ name, shape, data }) => [`transformer.${name}`, tensor(data, shape)]),
  );
  loadParameters(model, (name) => initial.get(name));
  const parameters = namedParameters(model);
  const optimizer = new AdamW(parameters, { weightDecay: gpt.WEIGHT_DECAY });
  const flat = [...gpt.tokens(config)];
  const ids = Array.from({ length: config.batch }, (_, b) =>
    flat.slice(b * config.length, (b + 1) * config.length),
  );
  const rows = { inputIds: ids, labels: ids };
  const learningRate = gpt.LEARNING_RATE;
  const said = {};
  const step = trainer({ model, parameters, optimizer, rows, learningRate, device, said });
  return counted(device, step, said);
}

function gptConfig({ layers, width, heads, vocabulary, length }) {
  return {
    model_type: 'gpt2',
    architectures: ['GPT2LMHeadModel'],
    vocab_size: vocabulary,
    n_embd: width,
    n_layer: layers,
    n_head: heads,
    n_positions: length,
    embd_pdrop: 0,
    attn_pdrop: 0,
    resid_pdrop: 0,
  };
}

/** The BERT of `programs/minilm.mjs`, one of its variants. */
export async function bertStep({ variant, batch, length }, device) {
  const model = modelFromConfig(minilm.CONFIG, 'classification', { numLabels: 2 });
  const layers = minilm.VARIANTS[variant];
  const parameters = layers ? await withLora(model, layers) : namedParameters(model);
  const optimizer = new AdamW(parameters);
  const rows = minilm.rows(batch, length);
  const trainable = [...parameters.values()].reduce((sum, { size }) => sum + size, 0);
  const said = { trainable };
  const learningRate = minilm.LEARNING_RATE;
  const step = trainer({ model, parameters, optimizer, rows, learningRate, device, said });
  return counted(device, step, said);
}

async function withLora(model, layers) {
  const options = {
    target_modules: ['query', 'value'],
    layers_to_transform: layers,
    r: minilm.RANK,
    lora_alpha: minilm.ALPHA,
    modules_to_save: ['classifier'],
  };
  return (await injectLora(model, options)).trainable;
}
