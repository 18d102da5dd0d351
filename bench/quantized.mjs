/**
 * @file What packed weights cost and save: loading, resident bytes, decoding, prefill and a LoRA step of a GGUF language
 * model, packed as the file has it, as numbers, and quantised at loading. `node bench/quantized.mjs FILE.gguf
 * [wasm|webgpu] [threads] [packed,dense,nf4,int8]`. Best of several runs; other work on the machine disturbs the least time least.
 */
import { grad } from '@camada/autograd';
import { openModelFolder } from '@camada/hub';
import { injectLora } from '@camada/lora';
import {
  AdamW,
  createBatch,
  createContext,
  emptyModel,
  generateTokens,
  loadWeights,
} from '@camada/nn';
import { openDevice, realize, useDevice } from '@camada/tensor';

const [file, backend = 'wasm', threads = '1', list = 'packed,dense,nf4,int8'] =
  process.argv.slice(2);
const LENGTH = 64;
const TOKENS = 24;
const MODES = {
  packed: { packed: true },
  dense: {},
  nf4: { quantize: 'nf4' },
  int8: { quantize: 'int8' },
};

const megabytes = (bytes) => (bytes / 1e6).toFixed(0);

async function timed(run) {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

async function best(count, run) {
  let least = Infinity;
  for (let i = 0; i < count; i++) least = Math.min(least, await timed(run));
  return least;
}

async function decoding(model, prompt) {
  const times = [];
  let last = performance.now();
  const options = { maxNewTokens: TOKENS, eosTokenIds: [] };
  for await (const _ of generateTokens(model, prompt, options)) {
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  return Math.min(...times.slice(3));
}

async function measure(mode) {
  const device = await openDevice(backend, { threads: Number(threads) });
  useDevice(device);
  const folder = await openModelFolder(file);
  const model = emptyModel(folder.config.values, 'causal-lm');
  const load = await timed(() => loadWeights(model, folder.tensors, MODES[mode]));
  const resident = device.memory().live;
  const ids = Array.from({ length: LENGTH }, (_, i) => (i * 7919) % model.config.vocab_size);
  const token = await decoding(model, ids.slice(0, 16));
  const batch = createBatch({ inputIds: [ids], labels: [ids] }, model.limits);
  const forward = await best(3, async () => {
    const { logits } = model.call(batch, createContext());
    await realize([logits]);
    logits.dispose();
  });
  const { trainable } = await injectLora(model, {
    target_modules: ['q_proj', 'v_proj'],
    r: 8,
    lora_alpha: 16,
  });
  const optimizer = new AdamW(trainable);
  const step = await best(4, async () => {
    const loss = model.loss(model.call(batch, createContext()), batch);
    optimizer.step(grad(loss, [...trainable.values()]), 1e-3);
    await realize([loss]);
    await loss.data();
  });
  const { peak } = device.memory();
  console.log(
    `${mode.padEnd(7)} load ${(load / 1e3).toFixed(1)} s | resident ${megabytes(resident)} MB, peak ${megabytes(peak)} MB | ` +
      `decode ${(1e3 / token).toFixed(1)} tokens/s | prefill ${((1e3 * LENGTH) / forward).toFixed(0)} tokens/s | ` +
      `LoRA step of ${LENGTH} tokens ${step.toFixed(0)} ms`,
  );
}

for (const mode of list.split(',')) await measure(mode);
process.exit(0);
