/**
 * @file Host time of a training step: a MiniLM-shaped BERT (6 layers, 12 heads; narrow, since width costs the host
 * nothing) with LoRA on query and value, clipping and AdamW. Normal: graph, cache look-up, encoding. Captured: encoding. Medians, and the least times (other work on the machine disturbs them less).
 * `node bench/host-time.mjs [webgpu|wasm] [steps]`. On wasm running is computing, so there the program's run is left out.
 */
import { grad } from '@camada/autograd';
import { injectLora } from '@camada/lora';
import { AdamW, clipGradNorm, createBatch, createContext, modelFromConfig } from '@camada/nn';
import { capture, openDevice, realize, useDevice } from '@camada/tensor';

const CONFIG = {
  model_type: 'bert',
  architectures: ['BertModel'],
  vocab_size: 99,
  hidden_size: 48,
  num_hidden_layers: 6,
  num_attention_heads: 12,
  intermediate_size: 96,
  max_position_embeddings: 64,
  type_vocab_size: 2,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-12,
  initializer_range: 0.02,
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  pad_token_id: 0,
};
const LORA = { target_modules: ['query', 'value'], r: 8, lora_alpha: 16 };

const name = process.argv[2] ?? 'webgpu';
const steps = Number(process.argv[3] ?? 60);
const device = await openDevice(name);
useDevice(device);
const { backend } = device;

/** Milliseconds inside `backend.run` since the last look. */
let inside = 0;
const run = backend.run.bind(backend);
backend.run = (...args) => {
  const start = performance.now();
  const result = run(...args);
  inside += performance.now() - start;
  return result;
};

async function trainer() {
  const model = modelFromConfig(CONFIG, 'classification', { numLabels: 2 });
  const { trainable } = await injectLora(model, LORA);
  const optimizer = new AdamW(trainable);
  const parameters = [...trainable.values()];
  return (batch, numbers) => {
    const context = createContext({ training: true, seed: 1, step: () => numbers.step });
    const loss = model.loss(model.call(batch, context), batch);
    const { gradients } = clipGradNorm(grad(loss, parameters), 1);
    optimizer.step(gradients, () => 1e-3 / (1 + numbers.step));
    return loss;
  };
}

const rows = {
  inputIds: Array.from({ length: 2 }, (_, b) => Array.from({ length: 8 }, (__, t) => 5 + b + t)),
  labels: [0, 1],
};
const { limits } = modelFromConfig(CONFIG, 'classification', { numLabels: 2 });
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

async function measure(label, call) {
  const [host, runs] = [[], []];
  let kernels = 0;
  for (let step = 0; step < steps; step++) {
    const batch = createBatch(rows, limits);
    await realize(Object.values(batch).filter(Boolean));
    inside = 0;
    const before = device.counters.kernels;
    const start = performance.now();
    const pending = call(batch, { step });
    host.push(performance.now() - start);
    runs.push(inside);
    kernels = device.counters.kernels - before;
    const loss = await pending;
    await loss.item();
    loss.dispose();
  }
  const late = (list) => {
    const times = list.slice(Math.floor(steps / 3));
    return `${median(times).toFixed(3)} (least ${Math.min(...times).toFixed(3)})`;
  };
  const outside = late(host.map((time, i) => time - runs[i]));
  console.log(
    `${name} ${label}: ${kernels} kernels, first ${host[0].toFixed(1)} ms; graph and look-up ${outside} ms` +
      (name === 'webgpu' ? `; encoding ${late(runs)} ms; all ${late(host)} ms` : ''),
  );
}

const step = await trainer();
await measure('normal  ', (batch, numbers) => {
  const loss = step(batch, numbers);
  return realize([loss]).then(() => loss);
});
const captured = capture(await trainer());
await measure('captured', captured);
device.dispose();
