/** @file Plans and kernels as text. */
import type { Affine, Kernel, Value } from './kernel.ts';
import type { Plan, PlanBuffer } from './plan.ts';

/** The buffers of a plan, then its kernels in order. */
export function printPlan(plan: Plan): string {
  const buffers = plan.buffers.map((buffer, id) => `@${id}: ${showBuffer(buffer)}`);
  return [
    ...buffers,
    ...plan.kernels.map((kernel, i) => `kernel ${i}: ${printKernel(kernel)}`),
  ].join('\n');
}

function showBuffer({ role, index, size, dtype }: PlanBuffer): string {
  return role === 'scratch' ? `scratch, ${size * 4} bytes` : `${role} ${index}, ${size} × ${dtype}`;
}

/** One kernel: its loops, values and stores. */
export function printKernel(kernel: Kernel): string {
  const buffer = (local: number): string => `@${kernel.buffers[local]!.id}`;
  const head = `${kernel.kind} ${kernel.label}, loop ${kernel.loop.join('×')}${rows(kernel)}`;
  const values = kernel.values.map((value, i) => `  v${i} = ${showValue(value, buffer)}`);
  const stages = kernel.kind === 'row' ? kernel.stages : [];
  const totals = stages.flatMap(({ accumulators }, s) =>
    accumulators.map((a, slot) => `  row ${s}.${slot}: ${a.reduce} of v${a.value}`),
  );
  const stores = kernel.stores.map((s) => `  ${buffer(s.to)}[${showAffine(s.at)}] = v${s.value}`);
  return [head, ...values, ...totals, ...stores].join('\n');
}

function rows(kernel: Kernel): string {
  if (kernel.kind === 'row') return `, the last ${kernel.rowAxes} a row`;
  return kernel.kind === 'matmul' ? `, K ${kernel.inner}` : '';
}

/** `3 + 64·i0 + i1`. */
function showAffine({ offset, strides }: Affine): string {
  const terms = strides.flatMap((s, i) => (s === 0 ? [] : [s === 1 ? `i${i}` : `${s}·i${i}`]));
  if (offset !== 0 || terms.length === 0) terms.unshift(String(offset));
  return terms.join(' + ');
}

function showValue(value: Value, buffer: (local: number) => string): string {
  switch (value.kind) {
    case 'constant':
      return `${value.value}`;
    case 'scalar':
      return `scalar ${value.slot}`;
    case 'index':
      return value.divisor === undefined
        ? showAffine(value.at)
        : `(${showAffine(value.at)}) / ${value.divisor}`;
    case 'load':
      return `${buffer(value.from)}[${showAffine(value.at)}]${guarded(value.guard)}`;
    case 'gather':
      return `${buffer(value.from)}[${showAffine(value.at)} + ${value.stride}·v${value.index}]${guarded(value.guard)}`;
    case 'random':
      return `random ${value.dtype}(${showAffine(value.counter)}, key v${value.key[0]}, v${value.key[1]})`;
    case 'accumulator':
      return `row ${value.stage}.${value.slot}`;
    case 'product':
      return 'Σ a·b';
    case 'op':
      return `${value.op}(${value.args.map((id) => `v${id}`).join(', ')})`;
  }
}

function guarded(guard: number | undefined): string {
  return guard === undefined ? '' : ` if v${guard}`;
}
