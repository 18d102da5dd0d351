/** @file The perceptron's training step on wasm, and its cold first step. */
import { bounded, versus } from '../harness/rows.mjs';
import { TORCH, jaxWasm, tfjsWasm, torch, wasm } from './contenders.mjs';

export const name = 'wasm-mlp';
export const title = 'Perceptron, one training step on wasm (batch 64, 784-512-512-10)';

/** What is measured. */
export function groups() {
  const contenders = {
    'Camada, 1 thread': wasm(1),
    'Camada, 2 threads': wasm(2),
    'TensorFlow.js': tfjsWasm,
    'jax-js': jaxWasm,
    ...torch,
  };
  return { mlp: { contenders, tasks: { step: { task: 'mlp', params: { warm: 10 } } } } };
}

/** Rows of the table. */
export function rows({ mlp: { step } }) {
  const peers = ['TensorFlow.js', 'jax-js'];
  const of = (threads, rivals, least) =>
    versus(`step, ${threads}`, step, { ours: `Camada, ${threads}`, peers: rivals, least });
  const cold = step['Camada, 2 threads'];
  return [
    of('1 thread', peers),
    of('2 threads', peers, 2.5),
    of('1 thread', [TORCH[0]]),
    of('2 threads', [TORCH[1]]),
    bounded('first step, cold, device opened', coldSeconds(cold), { most: 0.5, unit: ' s' }),
  ];
}

/** Seconds from nothing to the first loss. */
export function coldSeconds(entry) {
  return entry?.error === undefined ? (entry.first + entry.report.opened) / 1000 : undefined;
}
