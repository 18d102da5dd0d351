/** @file Camada as a contender: `node camada.mjs wasm THREADS` or `node camada.mjs webgpu ADAPTER`. */
import { openDevice, useDevice } from '@camada/tensor';
import { serve } from '../harness/serve.mjs';
import { hostTime } from './camada/host-time.mjs';
import { matmul } from './camada/matmul.mjs';
import { mlp } from './camada/mlp.mjs';
import { smollm2 } from './camada/smollm2.mjs';
import { bertStep, gptStep } from './camada/steps.mjs';

const [backend, choice] = process.argv.slice(2);
const options = backend === 'wasm' ? { threads: Number(choice) } : { adapter: choice };

/** A device of its own for each task; what the task and the device say. */
function on(make) {
  return async (params) => {
    const start = performance.now();
    const device = await openDevice(backend, options);
    useDevice(device);
    const opened = performance.now() - start;
    const task = await make(params, device);
    return {
      run: task.run,
      report: () => ({
        adapter: device.info.adapter,
        opened,
        devicePeak: device.memory().peak,
        ...task.report?.(),
      }),
      release: () => device.dispose(),
    };
  };
}

serve({
  matmul: on(matmul),
  mlp: on(mlp),
  gpt: on(gptStep),
  minilm: on(bertStep),
  host: on(hostTime),
  smollm2: on(smollm2),
});
