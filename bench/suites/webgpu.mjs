/** @file Products and the perceptron's step on WebGPU, on each software adapter, against the peers on the same one. */
import { PRODUCTS, gigaflops } from '../programs/matmul.mjs';
import { bounded, versus } from '../harness/rows.mjs';
import { jaxWebGPU, tfjsWebGPU, webgpu } from './contenders.mjs';
import { coldSeconds } from './wasm-mlp.mjs';

export const name = 'webgpu';
export const title = 'WebGPU on software adapters';

const ADAPTERS = ['swiftshader', 'lavapipe'];
const LABELS = ['512³', '128×384×1536 NN', '256×576×1536 NT'];

/** What is measured. */
export function groups(quick) {
  const chosen = LABELS.slice(0, quick ? 1 : LABELS.length);
  const products = chosen.map((label) => [
    label,
    { task: 'matmul', params: { ...PRODUCTS[label], warm: 1 } },
  ]);
  const tasks = Object.fromEntries([...products, ['step', { task: 'mlp', params: { warm: 2 } }]]);
  return Object.fromEntries(
    ADAPTERS.slice(0, quick ? 1 : ADAPTERS.length).map((adapter) => {
      const contenders = {
        Camada: webgpu(adapter),
        'TensorFlow.js': tfjsWebGPU(adapter),
        'jax-js': jaxWebGPU(adapter),
      };
      return [adapter, { contenders, tasks }];
    }),
  );
}

/** Rows of the table. */
export function rows(results) {
  return Object.entries(results).flatMap(([adapter, tasks]) => [
    ...Object.entries(tasks).flatMap(([label, entries]) => against(adapter, label, entries)),
    ...(adapter === 'swiftshader' ? [cold(tasks.step.Camada)] : []),
  ]);
}

function against(adapter, label, entries) {
  const product = PRODUCTS[label];
  const show = product && ((ms) => `${gigaflops(product, ms).toFixed(1)} GF/s`);
  const row = (peer, least) =>
    versus(`${adapter}, ${label}`, entries, {
      ours: 'Camada',
      peers: [peer],
      least,
      ...(show && { show }),
    });
  return [row('TensorFlow.js', 3), row('jax-js', product ? 2.4 : 3)];
}

function cold(entry) {
  return bounded('swiftshader, first step, cold, device opened', coldSeconds(entry), {
    most: 2,
    unit: ' s',
  });
}
