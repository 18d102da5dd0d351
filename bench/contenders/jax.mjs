/** @file jax-js as a contender: `node jax.mjs wasm` or `node jax.mjs webgpu ADAPTER`. Steps are `jit` functions. */
import { pretendBrowser } from '../harness/browser.mjs';
import { serve } from '../harness/serve.mjs';

const [device, adapter] = process.argv.slice(2);

// It asks `navigator` before it looks at the name of the device.
globalThis.navigator ??= { userAgent: 'node' };
// Its README says that Node has no WebGPU; with Dawn it runs.
if (device === 'webgpu') await pretendBrowser(adapter);
const { defaultDevice, init } = await import('@jax-js/jax');
const found = await init(device);
if (!found.includes(device)) throw new Error(`jax-js has no ${device} device here`);
defaultDevice(device);

const { matmul, mlp } = await import('./jax/small.mjs');
const { bertStep, gptStep } = await import('./jax/steps.mjs');
serve({ matmul, mlp, gpt: gptStep, minilm: bertStep });
