/**
 * @file Where a training step's time goes, kernel by kernel: a two-layer BERT (width 64, batch 16, 64 tokens). After
 * `npm run build`: `node bench/webgpu-step.mjs [webgpu|wasm] [lines]`; the adapter is chosen as always
 * (`CAMADA_WEBGPU_ADAPTER`). Prints whole steps, then milliseconds a step by kernel: each kernel runs alone, several
 * times (so the model's numbers end up wrong). Times are the processor's, as suits software adapters.
 */
import { grad } from '@camada/autograd';
import * as nn from '@camada/nn';
import { openDevice, realize, useDevice } from '@camada/tensor';

const [BATCH, TOKENS, WHOLE, ALONE, REPEAT] = [16, 64, 5, 3, 8];
const name = process.argv[2] ?? 'webgpu';
const lines = Number(process.argv[3] ?? 40);

const config = {
  model_type: 'bert',
  architectures: ['BertModel'],
  vocab_size: 997,
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 256,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-12,
  initializer_range: 0.02,
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  pad_token_id: 0,
};

const device = await openDevice(name);
useDevice(device);
const { backend } = device;
const model = nn.modelFromConfig(config, 'classification', { numLabels: 2 });
const parameters = nn.namedParameters(model);
const optimizer = new nn.AdamW(parameters, {});

async function step(number) {
  const inputIds = Array.from({ length: BATCH }, (_, b) =>
    Array.from({ length: TOKENS }, (__, t) => ((b * 31 + t * 7) % 900) + 5),
  );
  const rows = { inputIds, labels: inputIds.map((_, b) => b % 2) };
  const context = nn.createContext({ training: true, seed: 1, step: number });
  const batch = nn.createBatch(rows, model.limits);
  const loss = model.loss(model.call(batch, context), batch);
  optimizer.step(grad(loss, [...parameters.values()]), 1e-3);
  await realize([loss]);
  return loss.item();
}

/** Milliseconds of processor time so far, all threads: steadier than the clock on a busy machine. */
function processor() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

console.log(`${name}: ${device.info.adapter}`);
for (let i = 0; i < WHOLE; i++) {
  const [start, busy] = [performance.now(), processor()];
  const loss = await step(i);
  const [wall, used] = [performance.now() - start, processor() - busy];
  console.log(
    `step ${i}: loss ${loss.toFixed(5)}, ${wall.toFixed(0)} ms, ${used.toFixed(0)} ms of processor time`,
  );
}

/** One program a kernel, over buffers that live as long as the plan. */
const split = new WeakMap();
const compile = backend.compile.bind(backend);
const run = backend.run.bind(backend);
const times = new Map();
const pending = [];
let recording = false;

function apart(program) {
  const known = split.get(program);
  if (known) return known;
  const { plan } = program;
  const buffers = plan.buffers.map((buffer, index) => ({ ...buffer, role: 'input', index }));
  const scratch = plan.buffers.map(({ role, size }) =>
    role === 'scratch' ? backend.allocate(size, 'f32') : undefined,
  );
  const programs = plan.kernels.map((kernel) =>
    compile({ ...plan, kernels: [kernel], buffers, scratchBytes: 0 }),
  );
  split.set(program, { scratch, programs });
  return split.get(program);
}

backend.run = (program, bindings, scalars) => {
  const { scratch, programs } = apart(program);
  const all = bindings.map((buffer, i) => buffer ?? scratch[i]);
  const words = scalars.slice();
  pending.push(async () => {
    for (const [i, alone] of programs.entries()) {
      const start = processor();
      for (let again = 0; again < REPEAT; again++) await run(alone, all, words);
      await backend.synchronize();
      note(program.plan.kernels[i], (processor() - start) / REPEAT);
    }
  });
};

function note(kernel, time) {
  if (!recording) return;
  const shape = kernel.kind === 'row' ? ` row ${kernel.rowAxes}` : '';
  const inner = kernel.kind === 'matmul' ? ` k ${kernel.inner}` : '';
  const key = `${kernel.kind} [${kernel.loop}]${shape}${inner} ${kernel.label}`;
  const entry = times.get(key) ?? { calls: 0, time: 0 };
  times.set(key, { calls: entry.calls + 1, time: entry.time + time });
}

/** The engine gives memory back as soon as work is queued; here that must wait for the work. */
const free = backend.free.bind(backend);
backend.free = (buffer) => {
  if (pending.length === 0) free(buffer);
  else pending.push(() => free(buffer));
};

/** Reads too must wait until the kernels before them have run one by one. */
const read = backend.read.bind(backend);
backend.read = async (buffer) => {
  while (pending.length > 0) await pending.shift()();
  return read(buffer);
};

for (let i = 0; i <= ALONE; i++) {
  recording = i > 0; // The first compiles.
  await step(WHOLE + i);
}
const sorted = [...times].sort((a, b) => b[1].time - a[1].time);
const total = sorted.reduce((sum, [, { time }]) => sum + time, 0) / ALONE;
console.log(`\n${total.toFixed(1)} ms a step, kernels alone:`);
for (const [key, { calls, time }] of sorted.slice(0, lines))
  console.log(`${(time / ALONE).toFixed(2).padStart(9)} ms ${calls / ALONE}x ${key}`);
device.dispose();
