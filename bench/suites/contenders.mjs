/** @file How each contender is started. PyTorch takes part where `CAMADA_PYTHON` has it. */
import { fileURLToPath } from 'node:url';

const file = (name) => fileURLToPath(new URL(`../contenders/${name}`, import.meta.url));
const node = (name, ...args) => ({ command: [process.execPath, file(name), ...args] });
const python = process.env['CAMADA_PYTHON'];

/** Camada on wasm with so many threads. */
export const wasm = (threads) => node('camada.mjs', 'wasm', String(threads));
/** Camada on WebGPU. */
export const webgpu = (adapter) => node('camada.mjs', 'webgpu', adapter);
export const jaxWasm = node('jax.mjs', 'wasm');
export const jaxWebGPU = (adapter) => node('jax.mjs', 'webgpu', adapter);
export const tfjsWasm = node('tfjs.mjs', 'wasm');
export const tfjsWebGPU = (adapter) => node('tfjs.mjs', 'webgpu', adapter);
export const ceiling = node('ceiling.mjs');
export const llama = (threads) => node('llama.mjs', String(threads));

/** PyTorch with one and with two threads, or nothing. */
export const torch = python
  ? Object.fromEntries(
      [1, 2].map((threads) => [
        `PyTorch, ${threads} thread${threads > 1 ? 's' : ''}`,
        {
          command: [python, file('torch.py'), String(threads)],
          env: { OMP_NUM_THREADS: String(threads) },
        },
      ]),
    )
  : {};

export const TORCH = ['PyTorch, 1 thread', 'PyTorch, 2 threads'];
