/** @file Host time of a training step on WebGPU: graph, look-up, encoding. */
import { bounded, reported } from '../harness/rows.mjs';
import { median } from '../harness/statistics.mjs';
import { wasm, webgpu } from './contenders.mjs';

export const name = 'host-time';
export const title = 'Host time of the MiniLM LoRA step';

const TASKS = {
  normal: { task: 'host', params: { captured: false, warm: 20 } },
  captured: { task: 'host', params: { captured: true, warm: 20 } },
};

/** What is measured. */
export function groups() {
  return {
    webgpu: { contenders: { Camada: webgpu('swiftshader') }, tasks: TASKS, apart: true },
    wasm: { contenders: { Camada: wasm(1) }, tasks: TASKS, apart: true },
  };
}

/** Rows of the table. */
export function rows(results) {
  const row = (backend, mode, most) => {
    const times = reported(results[backend][mode].Camada, 'host');
    return bounded(`${backend}, ${mode}`, times && median(times), { most, unit: ' ms' });
  };
  return [
    row('webgpu', 'normal', 1),
    row('webgpu', 'captured', 0.3),
    row('wasm', 'normal', 1),
    row('wasm', 'captured', 0.3),
  ];
}
