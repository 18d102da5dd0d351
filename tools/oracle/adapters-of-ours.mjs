/**
 * @file Makes an adapter of each method on the tiny models with random numbers, saves it, and its logits in logits.json: what
 * added_check.py opens with PEFT and `adapters`. `node tools/oracle/adapters-of-ours.mjs FOLDER` after `npm run build`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openSafetensors } from '@camada/hub';
import * as lora from '@camada/lora';
import { createContext, emptyModel, loadWeights } from '@camada/nn';
import { device, openDevice, tensor, useDevice } from '@camada/tensor';

const [folder] = process.argv.slice(2);
useDevice(await openDevice('wasm', { threads: 1 }));

const golden = (path) =>
  fileURLToPath(new URL(`../../packages/nn/test/golden/${path}`, import.meta.url));

async function tiny(name) {
  const task = name.endsWith('-classifier') ? 'classification' : 'causal-lm';
  const model = emptyModel(JSON.parse(readFileSync(golden(`${name}/config.json`), 'utf8')), task);
  await loadWeights(model, await openSafetensors(golden(`${name}/model.safetensors`)));
  return model;
}

async function batchOf(name) {
  const file = await openSafetensors(golden(`${name}/golden.safetensors`));
  const input = async (key) => {
    const { data, shape, dtype } = await file.read(`input.${key}`);
    return tensor(data, shape, dtype);
  };
  const types = file.names.includes('input.token_type_ids');
  return {
    inputIds: await input('input_ids'),
    attentionMask: await input('attention_mask'),
    ...(types && { tokenTypeIds: await input('token_type_ids') }),
  };
}

const CLASSIFIER = { task_type: 'SEQ_CLS', modules_to_save: ['classifier'] };
const CAUSAL = { task_type: 'CAUSAL_LM' };
const onModel = (method, config) => async (model) =>
  lora.addModelAdapter(model, method, config(model), { seed: 3 });
const onLayers = (method, config) => async (model) =>
  lora.addAdapter(model, method, config(model), { seed: 3 });
const tokens = { num_virtual_tokens: 3 };
const bottleneck = (kind) => (model) =>
  lora.bottleneckConfig({
    ...CLASSIFIER,
    target_modules: lora.bottleneckPlaces(model, kind, [0, 2]).map(({ path }) => path),
    reduction_factor: 8,
    non_linearity: kind === 'houlsby' ? 'swish' : 'relu',
  });

const CASES = {
  'ia3-bert': [
    'bert-classifier',
    onLayers(lora.IA3, () =>
      lora.ia3Config({ ...CLASSIFIER, ...lora.ia3Targets('bert'), layers_to_transform: [1, 2] }),
    ),
  ],
  'ia3-llama': [
    'llama-tied',
    onLayers(lora.IA3, () => lora.ia3Config({ ...CAUSAL, ...lora.ia3Targets('llama') })),
  ],
  'ln-bert': [
    'bert-classifier',
    onLayers(lora.LN_TUNING, () =>
      lora.lnTuningConfig({
        ...CLASSIFIER,
        target_modules: ['LayerNorm'],
        layers_to_transform: [1],
      }),
    ),
  ],
  'shira-llama': [
    'llama-tied',
    onLayers(lora.SHIRA, () =>
      lora.sparseConfig({
        ...CAUSAL,
        target_modules: ['q_proj', 'v_proj'],
        r: 2,
        layers_to_transform: [0, 2],
      }),
    ),
  ],
  'prompt-bert': [
    'bert-classifier',
    onModel(lora.PROMPT_TUNING, (model) =>
      lora.promptTuningConfig(model, { ...CLASSIFIER, ...tokens }),
    ),
  ],
  'prompt-llama': [
    'llama-tied',
    onModel(lora.PROMPT_TUNING, (model) =>
      lora.promptTuningConfig(model, { ...CAUSAL, ...tokens }),
    ),
  ],
  'p-tuning-llama': [
    'llama-tied',
    onModel(lora.P_TUNING, (model) => lora.pTuningConfig(model, { ...CAUSAL, ...tokens })),
  ],
  'prefix-bert': [
    'bert-classifier',
    onModel(lora.PREFIX_TUNING, (model) =>
      lora.prefixTuningConfig(model, { ...CLASSIFIER, ...tokens }),
    ),
  ],
  'prefix-llama': [
    'llama-tied',
    onModel(lora.PREFIX_TUNING, (model) =>
      lora.prefixTuningConfig(model, { ...CAUSAL, ...tokens, prefix_projection: true }),
    ),
  ],
  'adaption-llama': [
    'llama-tied',
    onModel(lora.ADAPTION_PROMPT, (model) =>
      lora.adaptionPromptConfig(model, { ...CAUSAL, adapter_len: 4, layers: [1, 2] }),
    ),
  ],
  'adaption-gpt2': [
    'gpt2',
    onModel(lora.ADAPTION_PROMPT, (model) =>
      lora.adaptionPromptConfig(model, { ...CAUSAL, adapter_len: 4, layers: [1] }),
    ),
  ],
  'houlsby-bert': ['bert-classifier', onLayers(lora.BOTTLENECK, bottleneck('houlsby'))],
  'pfeiffer-bert': ['bert-classifier', onLayers(lora.BOTTLENECK, bottleneck('pfeiffer'))],
};

const logits = {};
for (const [name, [base, make]] of Object.entries(CASES)) {
  const model = await tiny(base);
  const adapter = await make(model);
  let n = 0;
  for (const parameter of adapter.trainable.values()) {
    const shift = Float32Array.from(
      { length: parameter.size },
      () => 0.2 * Math.sin(1 + 1.7 * n++),
    );
    parameter.assign(parameter.add(tensor(shift, parameter.shape)));
    await parameter.realize();
  }
  const output = await model.call(await batchOf(base), createContext()).logits.data();
  logits[name] = { base, logits: Array.from(output) };
  const path = `${folder}/${name}`;
  if (/houlsby|pfeiffer/.test(name)) await lora.saveHubAdapter(path, model, adapter);
  else await lora.saveAdapter(path, adapter);
}
writeFileSync(`${folder}/logits.json`, JSON.stringify(logits));
(await device()).dispose();
