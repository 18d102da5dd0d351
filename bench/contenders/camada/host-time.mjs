/**
 * @file Host time of the MiniLM-shaped LoRA step: graph, look-up and encoding, without waiting for the device. Narrow, since
 * width costs the host nothing. A run gives the milliseconds of its host part.
 */
import { grad } from '@camada/autograd';
import { injectLora } from '@camada/lora';
import { AdamW, createBatch, createContext, modelFromConfig } from '@camada/nn';
import { capture, realize } from '@camada/tensor';
import { CONFIG } from '../../programs/minilm.mjs';

const NARROW = { ...CONFIG, vocab_size: 99, hidden_size: 48, intermediate_size: 96 };
const ROWS = {
  inputIds: [
    [5, 6, 7, 8],
    [9, 10, 11, 12],
  ],
  labels: [0, 1],
};

/** `captured`: with `capture`. On wasm running is computing, so the program's run is left out there. */
export async function hostTime({ captured }, device) {
  const inside = timeInside(device.backend);
  const model = modelFromConfig(NARROW, 'classification', { numLabels: 2 });
  const { trainable } = await injectLora(model, {
    target_modules: ['query', 'value'],
    r: 8,
    lora_alpha: 16,
  });
  const optimizer = new AdamW(trainable);
  const step = (batch) => {
    const context = createContext({ training: true });
    const loss = model.loss(model.call(batch, context), batch);
    optimizer.step(grad(loss, [...trainable.values()]), 1e-4);
    return loss;
  };
  const call = captured ? capture(step) : (batch) => runNormally(step(batch));
  const times = [];
  const run = async () => {
    const batch = createBatch(ROWS, model.limits);
    await realize(Object.values(batch).filter(Boolean));
    inside.ms = 0;
    const start = performance.now();
    const pending = call(batch);
    const host = performance.now() - start;
    times.push(device.info.backend === 'wasm' ? host - inside.ms : host);
    const loss = await pending;
    await loss.item();
    loss.dispose();
  };
  return { run, report: () => ({ host: times.slice(Math.floor(times.length / 3)) }) };
}

async function runNormally(loss) {
  await realize([loss]);
  return loss;
}

function timeInside(backend) {
  const inside = { ms: 0 };
  const run = backend.run.bind(backend);
  backend.run = (...args) => {
    const start = performance.now();
    const result = run(...args);
    inside.ms += performance.now() - start;
    return result;
  };
  return inside;
}
