/** @file The GPT training step on both back ends: time, peak memory, and whether the losses are PyTorch's. */
import { bounded, reported, versus } from '../harness/rows.mjs';
import { TORCH, jaxWasm, jaxWebGPU, torch, wasm, webgpu } from './contenders.mjs';

export const name = 'gpt';
export const title = 'GPT training step (6 layers, C 384, H 6, V 4096, B 8, T 64, AdamW)';

const step = { step: { task: 'gpt', params: { warm: 1 } } };

/** What is measured. */
export function groups(quick) {
  const ours = { 'Camada, 1 thread': wasm(1), 'Camada, 2 threads': wasm(2) };
  if (quick) return {};
  return {
    wasm: { contenders: { ...ours, 'jax-js': jaxWasm, ...torch }, tasks: step },
    lavapipe: {
      contenders: { Camada: webgpu('lavapipe'), 'jax-js': jaxWebGPU('lavapipe') },
      tasks: step,
    },
  };
}

/** Rows of the table. */
export function rows({ wasm: onWasm, lavapipe }) {
  if (!onWasm) return []; // too long for a quick look
  const ours = onWasm.step['Camada, 2 threads'];
  const reference = reported(onWasm.step[TORCH[0]], 'values');
  const gigabytes = (entry) => reported(entry, 'peak') / 1e9;
  const memory = (what, entry) =>
    bounded(`peak resident memory, ${what}`, gigabytes(entry), { most: 0.6, unit: ' GB' });
  return [
    versus('wasm, 2 threads', onWasm.step, {
      ours: 'Camada, 2 threads',
      peers: ['jax-js'],
      least: 2.5,
    }),
    versus('wasm, 1 thread', onWasm.step, { ours: 'Camada, 1 thread', peers: ['jax-js'] }),
    versus('wasm, 1 thread', onWasm.step, { ours: 'Camada, 1 thread', peers: [TORCH[0]] }),
    versus('wasm, 2 threads', onWasm.step, { ours: 'Camada, 2 threads', peers: [TORCH[1]] }),
    versus('WebGPU on lavapipe', lavapipe.step, { ours: 'Camada', peers: ['jax-js'], least: 2 }),
    memory('wasm', ours),
    memory('WebGPU', lavapipe.step.Camada),
    trajectory('wasm', ours, reference),
    trajectory('WebGPU', lavapipe.step.Camada, reference),
    bounded('kernels a step', reported(ours, 'kernels'), {
      most: 499,
      digits: 0,
      note: 'torchlette: 499',
    }),
  ];
}

/** The largest difference of the first losses from PyTorch's. */
function trajectory(what, entry, reference) {
  const values = reported(entry, 'values');
  const most = values && reference && Math.max(...common(values, reference));
  return bounded(`first losses against PyTorch's, ${what}`, most, {
    most: 1e-3,
    digits: 6,
    note: reference ? '' : 'losses are compared where CAMADA_PYTHON has PyTorch',
  });
}

function common(a, b) {
  return a.slice(0, b.length).map((value, i) => Math.abs(value - b[i]));
}
