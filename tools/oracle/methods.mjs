/**
 * @file Fresh adapters of every low-rank method on the tiny models, moved from their start, saved as files, with their
 * logits: what methods_check.py opens in PEFT. `node tools/oracle/methods.mjs OUTPUT` prints one JSON object.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openSafetensors } from '@camada/hub';
import * as lora from '@camada/lora';
import { createContext, emptyModel, loadWeights } from '@camada/nn';
import { openDevice, tensor, useDevice } from '@camada/tensor';

const OUTPUT = process.argv[2];
const HERE = new URL('../../packages/', import.meta.url);
const path = (name) => fileURLToPath(new URL(name, HERE));

const LAYERS = { target_modules: ['query', 'value', 'dense'], layers_to_transform: [1, 2] };
const BERT = { ...LAYERS, task_type: 'SEQ_CLS', modules_to_save: ['classifier'] };
const GPT2 = {
  target_modules: ['c_attn', 'c_fc'],
  task_type: 'SEQ_CLS',
  modules_to_save: ['score'],
};
const WORDS = { ...BERT, target_modules: ['word_embeddings', 'query'], layers_to_transform: null };
const RANK = { r: 4, lora_alpha: 8 };
const CAUSAL = {
  target_modules: 'all-linear',
  task_type: 'CAUSAL_LM',
  exclude_modules: ['o_proj'],
};
const ADALORA = { init_r: 6, target_r: 3, total_step: 9 };

const bert = 'bert-classifier';
const gpt2 = 'gpt2-classifier';
const llama = 'llama-tied';
const plain = (options) => [lora.LORA, lora.loraConfig({ ...RANK, ...options })];
const vera = (options) => [lora.VERA, lora.veraConfig({ r: 8, ...options })];
const adalora = (options) => [lora.ADALORA, lora.adaLoraConfig({ ...ADALORA, ...options })];

/** Base, golden whose inputs are used, method and config. */
const CASES = {
  lora: [bert, 'dora', ...plain(BERT)],
  'lora, gaussian': [bert, 'dora', ...plain({ ...BERT, init_lora_weights: 'gaussian' })],
  'rslora, all-linear': [llama, 'all-linear', ...plain({ ...CAUSAL, use_rslora: true })],
  'lora, patterns': [
    llama,
    'all-linear',
    ...plain({ ...CAUSAL, rank_pattern: { q_proj: 2 }, alpha_pattern: { k_proj: 3 } }),
  ],
  'lora, bias all': [bert, 'dora', ...plain({ ...BERT, bias: 'all' })],
  'lora, bias lora_only': [bert, 'dora', ...plain({ ...BERT, bias: 'lora_only' })],
  'lora, words': [bert, 'dora', ...plain(WORDS)],
  'lora, tied words': [
    llama,
    'all-linear',
    ...plain({ target_modules: ['embed_tokens', 'q_proj'], task_type: 'CAUSAL_LM' }),
  ],
  'lora, Conv1D': [gpt2, 'gpt2-dora', ...plain(GPT2)],
  dora: [bert, 'dora', ...plain({ ...BERT, use_dora: true })],
  'dora, words': [bert, 'dora', ...plain({ ...WORDS, use_dora: true })],
  'dora, Conv1D': [gpt2, 'gpt2-dora', ...plain({ ...GPT2, use_dora: true })],
  pissa: [bert, 'dora', ...plain({ ...BERT, init_lora_weights: 'pissa' })],
  'pissa, iterated, rslora': [
    bert,
    'dora',
    ...plain({ ...BERT, init_lora_weights: 'pissa_niter_8', use_rslora: true }),
  ],
  'pissa, Conv1D': [gpt2, 'gpt2-dora', ...plain({ ...GPT2, init_lora_weights: 'pissa' })],
  olora: [bert, 'dora', ...plain({ ...BERT, init_lora_weights: 'olora' })],
  vera: [bert, 'dora', ...vera(BERT)],
  'vera, by key': [
    bert,
    'dora',
    ...vera({ ...BERT, save_projection: false, projection_prng_key: 3 }),
  ],
  'vera, Conv1D': [gpt2, 'gpt2-dora', ...vera(GPT2)],
  adalora: [bert, 'dora', ...adalora(BERT)],
  'adalora, Conv1D': [gpt2, 'gpt2-dora', ...adalora(GPT2)],
};

async function openBase(name) {
  const folder = path(`nn/test/golden/${name}`);
  const config = JSON.parse(readFileSync(`${folder}/config.json`, 'utf8'));
  const model = emptyModel(config, name === llama ? 'causal-lm' : 'classification');
  await loadWeights(model, await openSafetensors(`${folder}/model.safetensors`));
  return model;
}

async function batchOf(golden) {
  const file = await openSafetensors(path(`lora/test/golden/methods/${golden}/golden.safetensors`));
  const input = async (name) => {
    const { data, shape, dtype } = await file.read(`input.${name}`);
    return tensor(data, shape, dtype);
  };
  const types = file.names.includes('input.token_type_ids');
  return {
    inputIds: await input('input_ids'),
    attentionMask: await input('attention_mask'),
    ...(types && { tokenTypeIds: await input('token_type_ids') }),
  };
}

/** Lehmer's generator: values that no start has. */
async function move(adapter) {
  let state = 1;
  for (const parameter of adapter.trainable.values()) {
    const values = Float32Array.from({ length: parameter.size }, () => {
      state = (state * 48271) % 2147483647;
      return 0.2 * ((2 * state) / 2147483647 - 1);
    });
    parameter.assign(parameter.add(tensor(values, parameter.shape)));
    await parameter.realize();
  }
}

/** Some triplets off, as an allocation leaves them. */
async function prune(adapter) {
  if (adapter.method !== lora.ADALORA) return;
  let i = 0;
  for (const part of adapter.layers.values()) {
    const on = Float32Array.from({ length: part.mask.size }, () => Number(i++ % 3 > 0));
    part.mask.assign(tensor(on, part.mask.shape));
    part.E.assign(part.E.mul(part.mask));
    await part.E.realize();
  }
}

async function written(name, [base, golden, method, config]) {
  const model = await openBase(base);
  const adapter = await lora.addAdapter(model, method, config, { seed: 3 });
  await move(adapter);
  await prune(adapter);
  const folder = `${OUTPUT}/${name.replaceAll(/[^\w]+/g, '-')}`;
  await lora.saveAdapter(folder, adapter);
  const { logits } = model.call(await batchOf(golden), createContext());
  const trainable = [...adapter.trainable.values()].reduce((sum, { size }) => sum + size, 0);
  const values = Array.from(await logits.data());
  return { name, base, golden, folder, trainable, logits: values, shape: logits.shape };
}

useDevice(await openDevice('wasm', { threads: 1 }));
const answers = [];
for (const [name, entry] of Object.entries(CASES)) answers.push(await written(name, entry));
process.stdout.write(JSON.stringify({ answers }) + '\n');
