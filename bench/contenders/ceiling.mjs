/**
 * @file What this engine's WebAssembly can multiply and add at most: a loop over registers, in every thread at once. The
 * number that a run gives is GF/s; only then are its times of use.
 */
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { serve } from '../harness/serve.mjs';

/** Independent sums: enough to hide the latency, few enough for 16 registers. */
const SUMS = 13;
const LOOPS = 2_000_000;

const section = (id, ...bytes) => [id, bytes.length, ...bytes];
const long = (bytes) => [(bytes.length & 127) | 128, bytes.length >> 7];
const [GET, SET, V128, I32] = [0x20, 0x21, 0x7b, 0x7f];
const MULTIPLY_ADD = {
  fused: [0xfd, 0x85, 0x02],
  apart: [0xfd, 0xe6, 0x01, 0xfd, 0xe4, 0x01],
};

/** `(loops) => void`, exported as f: each loop is SUMS times x·x + sum, or x·sum + x. */
function moduleBytes(kind) {
  const x = 1 + SUMS;
  const step = Array.from({ length: SUMS }, (_, i) =>
    kind === 'fused'
      ? [GET, x, GET, x, GET, 1 + i, ...MULTIPLY_ADD.fused, SET, 1 + i]
      : [GET, 1 + i, GET, x, GET, x, ...MULTIPLY_ADD.apart, SET, 1 + i],
  ).flat();
  const loop = [0x03, 0x40, ...step, GET, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b];
  // The sums leave through memory, so that they are not dead.
  const stores = Array.from({ length: SUMS }, (_, i) => [0x41, 0, GET, 1 + i, 0xfd, 0x0b, 4, 0]);
  const body = [1, SUMS + 1, V128, ...loop, ...stores.flat(), 0x0b];
  const code = [1, ...long(body), ...body];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, 1, 0x60, 1, I32, 0),
    ...section(3, 1, 0),
    ...section(5, 1, 0, 1),
    ...section(7, 1, 1, 0x66, 0, 0),
    ...[10, ...long(code), ...code],
  ]);
}

function worker(bytes) {
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { f } = new WebAssembly.Instance(new WebAssembly.Module(workerData)).exports;
    parentPort.on('message', (loops) => { f(loops); parentPort.postMessage(0); });`;
  return new Worker(source, { eval: true, workerData: bytes });
}

/** GF/s of `threads` threads together. */
function ceiling({ threads }) {
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  const fused = moduleBytes('fused');
  const kind = WebAssembly.validate(fused) ? 'fused' : 'apart';
  const workers = Array.from({ length: threads }, () => worker(moduleBytes(kind)));
  let best = 0;
  const run = async () => {
    const start = performance.now();
    await Promise.all(
      workers.map((one) => {
        const answered = new Promise((resolve) => one.once('message', resolve));
        one.postMessage(LOOPS);
        return answered;
      }),
    );
    const flops = LOOPS * SUMS * 8 * threads;
    best = Math.max(best, flops / (performance.now() - start) / 1e6);
  };
  const release = () => void workers.map((one) => one.terminate());
  return { run, release, report: () => ({ gigaflops: best, kind }) };
}

serve({ ceiling });
