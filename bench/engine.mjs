/**
 * @file Speed of whole programs as a user meets them, per device: a product, a softmax, a training step.
 * `npm run bench` or `node bench/engine.mjs wasm webgpu`. On a software adapter WebGPU's numbers say nothing
 * about a GPU.
 */
import { Bench } from 'tinybench';
import { grad } from '@camada/autograd';
import { openDevice, randomNormal, realize, useDevice } from '@camada/tensor';

/** A two-layer network's step with SGD: loss, gradients and updates are one program. */
function trainingStep(batch, width) {
  const [x, first, second] = [
    [batch, width],
    [width, width],
    [width, width],
  ].map((shape, i) => randomNormal(shape, [1, i]).mul(0.05));
  return async () => {
    const loss = x.matmul(first).gelu().matmul(second).square().mean();
    const [dFirst, dSecond] = grad(loss, [first, second]);
    first.assign(first.sub(dFirst.mul(0.01)));
    second.assign(second.sub(dSecond.mul(0.01)));
    await realize([loss]);
    await loss.item();
  };
}

/** Programs whose result is one number, so that reading costs nothing. */
async function tasks() {
  const [a, b, rows] = [
    [512, 512],
    [512, 512],
    [1024, 1024],
  ].map((shape, i) => randomNormal(shape, [2, i]));
  await realize([a, b, rows]);
  return {
    'matmul 512 x 512 x 512': () => a.matmul(b).sum().item(),
    'softmax 1024 x 1024': () => rows.softmax().max().item(),
    'training step, batch 64, width 512': trainingStep(64, 512),
  };
}

async function measure(name) {
  const device = await openDevice(name);
  useDevice(device);
  console.log(`\n${name}: ${device.info.adapter}`);
  const bench = new Bench({ time: 1000, warmupTime: 200 });
  for (const [label, task] of Object.entries(await tasks())) bench.add(label, task);
  await bench.run();
  console.table(bench.table());
  device.dispose();
}

for (const name of process.argv.length > 2 ? process.argv.slice(2) : ['wasm']) await measure(name);
