/**
 * @file A training step of a MiniLM-shaped BERT (6 layers, C 384, H 12, V 30,522; B 16, T 64; AdamW, no dropout): full, LoRA on
 * query and value of all layers, LoRA in the upper 3. `node bench/minilm-step.mjs [--torch PYTHON] [--rounds N]
 * [wasm|webgpu]`. With `--torch`, PyTorch on the CPU runs the same steps in turn (bench/minilm_step.py), so that the ratio
 * is of one run. Prints a table and JSON.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { grad } from '@camada/autograd';
import { injectLora } from '@camada/lora';
import {
  AdamW,
  countParameters,
  createBatch,
  createContext,
  modelFromConfig,
  namedParameters,
} from '@camada/nn';
import { openDevice, realize, useDevice } from '@camada/tensor';

const CONFIG = {
  model_type: 'bert',
  architectures: ['BertModel'],
  vocab_size: 30522,
  hidden_size: 384,
  num_hidden_layers: 6,
  num_attention_heads: 12,
  intermediate_size: 1536,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-12,
  initializer_range: 0.02,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  pad_token_id: 0,
};
const BATCH = 16;
const LENGTH = 64;
const VARIANTS = {
  full: undefined,
  'LoRA, 6 layers': [0, 1, 2, 3, 4, 5],
  'LoRA, upper 3': [3, 4, 5],
};

const rows = {
  inputIds: Array.from({ length: BATCH }, (_, b) =>
    Array.from({ length: LENGTH }, (_, t) => 5 + ((b * 31 + t * 7) % 30000)),
  ),
  labels: Array.from({ length: BATCH }, (_, b) => b % 2),
};

async function trainable(model, layers) {
  if (!layers) return namedParameters(model);
  const options = {
    target_modules: ['query', 'value'],
    layers_to_transform: layers,
    r: 8,
    lora_alpha: 16,
    modules_to_save: ['classifier'],
  };
  return (await injectLora(model, options)).trainable;
}

/** A device of its own for each variant, so that its peak memory is its own. */
async function measure(backend, layers, steps) {
  const device = await openDevice(backend);
  useDevice(device);
  const model = modelFromConfig(CONFIG, 'classification', { numLabels: 2 });
  const parameters = await trainable(model, layers);
  const optimizer = new AdamW(parameters);
  const times = [];
  let before = { ...device.counters };
  for (let step = 0; step < steps + 2; step++) {
    before = { ...device.counters };
    const start = performance.now();
    const batch = createBatch(rows, model.limits);
    const context = createContext({ training: true, step });
    const loss = model.loss(model.call(batch, context), batch);
    optimizer.step(grad(loss, [...parameters.values()]), 1e-4);
    await realize([loss]);
    await loss.item();
    times.push(performance.now() - start);
  }
  const result = {
    first: times[0],
    times: times.slice(2),
    kernels: device.counters.kernels - before.kernels,
    submits: device.counters.submits - before.submits,
    peakMB: device.memory().peak / 1e6,
    parameters: [...parameters.values()].reduce((sum, { size }) => sum + size, 0),
    total: countParameters(model),
  };
  device.dispose();
  return result;
}

function torchTimes(python, layers, steps) {
  const script = new URL('minilm_step.py', import.meta.url).pathname;
  const child = spawnSync(python, [script, JSON.stringify(layers ?? null), String(steps)], {
    encoding: 'utf8',
  });
  if (child.status !== 0) throw new Error(child.stderr);
  return JSON.parse(child.stdout.trim().split('\n').at(-1));
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

const { values, positionals } = parseArgs({
  options: { torch: { type: 'string' }, rounds: { type: 'string', default: '3' } },
  allowPositionals: true,
});
const backend = positionals[0] ?? 'wasm';
const table = {};
for (const [name, layers] of Object.entries(VARIANTS)) {
  const ours = [];
  const theirs = [];
  let last;
  for (let round = 0; round < Number(values.rounds); round++) {
    last = await measure(backend, layers, 5);
    ours.push(...last.times);
    if (values.torch) theirs.push(...torchTimes(values.torch, layers, 5));
  }
  table[name] = {
    'ms a step': Math.round(median(ours)),
    'first step': Math.round(last.first),
    kernels: last.kernels,
    submits: last.submits,
    'peak MB': Math.round(last.peakMB),
    trainable: last.parameters,
    ...(theirs.length > 0 && {
      'PyTorch CPU ms': Math.round(median(theirs)),
      ratio: Number((median(theirs) / median(ours)).toFixed(2)),
    }),
  };
}
console.table(table);
console.log(JSON.stringify({ backend, batch: BATCH, length: LENGTH, table }));
