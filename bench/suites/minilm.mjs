/** @file The MiniLM-shaped training step on both back ends: full, LoRA, LoRA in the upper half; time, memory, kernels. */
import { VARIANTS } from '../programs/minilm.mjs';
import { bounded, quotient, reported, versus } from '../harness/rows.mjs';
import { TORCH, jaxWasm, jaxWebGPU, torch, wasm, webgpu } from './contenders.mjs';

export const name = 'minilm';
export const title = 'MiniLM-shaped training step (6 layers, C 384, H 12, B 16, T 64, AdamW)';

const OURS = 'Camada, 2 threads';

/** What is measured. */
export function groups(quick) {
  const tasks = Object.fromEntries(
    Object.keys(VARIANTS).map((variant) => [
      variant,
      { task: 'minilm', params: { variant, warm: 1 } },
    ]),
  );
  const peers = quick ? {} : { 'jax-js': jaxWasm, ...torch };
  const onWasm = { contenders: { [OURS]: wasm(2), ...peers }, tasks, apart: true };
  if (quick) return { wasm: onWasm };
  const contenders = { [OURS]: webgpu('lavapipe'), 'jax-js': jaxWebGPU('lavapipe') };
  return { wasm: onWasm, lavapipe: { contenders, tasks, apart: true } };
}

/** Rows of the table. */
export function rows(results) {
  return Object.entries(results).flatMap(([backend, variants]) => [
    ...Object.entries(variants).flatMap(([variant, entries]) => speeds(backend, variant, entries)),
    ...shares(backend, variants),
    ...(backend === 'wasm' ? costs(variants) : []),
  ]);
}

function speeds(backend, variant, entries) {
  const what = `${backend}, ${variant}`;
  const against = (peers, least) => versus(what, entries, { ours: OURS, peers, least });
  return [against(['jax-js'], 2.5), ...(backend === 'wasm' ? [against(TORCH)] : [])];
}

function shares(backend, { full, LoRA, 'LoRA, upper 3': upper }) {
  const part = (what, a, b, most) =>
    bounded(`${backend}, ${what}`, quotient(a, b), { most, unit: '×' });
  return [
    part('LoRA of full', LoRA[OURS], full[OURS], 0.72),
    part('LoRA in the upper 3 of full', upper[OURS], full[OURS], 0.55),
  ];
}

/** Memory, kernels, submits and the first step, on wasm. */
function costs({ full, LoRA }) {
  const mine = LoRA[OURS];
  const peak = (entry) => reported(entry ?? { error: '' }, 'peak');
  const device = ({ report }) => report.devicePeak;
  const share = (what, value, note) => bounded(what, value, { most: 0.5, unit: '×', note });
  const torchPeak = Math.min(...TORCH.map((name_) => peak(LoRA[name_]) ?? NaN));
  const inform = 'peak of the device memory, not of the process';
  return [
    share('peak device memory, LoRA of full', quotient(mine, full[OURS], device), inform),
    share('peak resident memory, LoRA of full', peak(mine) / peak(full[OURS])),
    share("peak resident memory, LoRA of PyTorch's", peak(mine) / torchPeak, ''),
    bounded('estimate() off the peak device memory, LoRA', error(mine), { most: 5, unit: ' %' }),
    bounded('kernels a LoRA step', reported(mine, 'kernels'), { most: 180, digits: 0 }),
    bounded('submits a step', reported(mine, 'submits'), { most: 1, digits: 0 }),
  ];
}

/** Per cent by which the estimate misses the peak. */
function error(entry) {
  const estimated = reported(entry, 'estimated');
  return estimated && 100 * Math.abs(estimated / entry.report.devicePeak - 1);
}
