/** @file What a profile collects: time, bytes and operations by kernel, as a table and as a file for Chrome's trace viewer. */
import { bytesPerElement } from '../../dtype.ts';
import type { Kernel } from '../../schedule/kernel.ts';
import type { Plan } from '../../schedule/plan.ts';

/** Kernels that the table lists. */
const LISTED = 30;

/** All runs of one kernel. */
interface Entry {
  calls: number;
  /** Milliseconds. */
  time: number;
  /** Of one run: bytes of the buffers it touches, and floating-point operations. */
  readonly bytes: number;
  readonly flops: number;
}

/** One box of the trace; times in microseconds, as the format wants (Trace Event Format, "X" events). */
interface TraceEvent {
  readonly name: string;
  readonly ph: 'X';
  readonly pid: 1;
  readonly tid: 1;
  readonly ts: number;
  readonly dur: number;
}

/** Times of kernels so far. */
export class Record {
  readonly #entries = new Map<string, Entry>();
  readonly #events: TraceEvent[] = [];
  #ended = false;

  /** Notes one run of a kernel of a plan: its start and its time in ms. */
  add(kernel: Kernel, plan: Plan, start: number, time: number): void {
    const name = nameOf(kernel);
    const entry = this.#entries.get(name) ?? {
      calls: 0,
      time: 0,
      bytes: bytesOf(kernel, plan),
      flops: flopsOf(kernel),
    };
    entry.calls++;
    entry.time += time;
    this.#entries.set(name, entry);
    this.#events.push({ name, ph: 'X', pid: 1, tid: 1, ts: 1000 * start, dur: 1000 * time });
  }

  /** Kernels by their share of the time, as text. */
  table(): string {
    const sorted = [...this.#entries].sort(([, a], [, b]) => b.time - a.time);
    const total = sorted.reduce((sum, [, { time }]) => sum + time, 0);
    const lines = sorted.slice(0, LISTED).map(([name, entry]) => line(name, entry, total));
    const head = '   time ms   share  calls    MB/run   GB/s    GF/s  kernel';
    return [`${total.toFixed(1)} ms in kernels`, head, ...lines].join('\n');
  }

  /** The runs in order, as the JSON that chrome://tracing and Perfetto read. */
  trace(): string {
    return JSON.stringify({ traceEvents: this.#events });
  }

  /** Hands the profile over, once: see {@link onEnd}. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.onEnd();
  }

  /** What is done with the profile when its device ends. */
  onEnd: () => void = () => undefined;
}

function line(name: string, { calls, time, bytes, flops }: Entry, total: number): string {
  const seconds = time / 1000;
  const cells = [
    time.toFixed(2).padStart(10),
    `${((100 * time) / total).toFixed(1)} %`.padStart(8),
    String(calls).padStart(7),
    (bytes / 1e6).toFixed(2).padStart(10),
    ((bytes * calls) / seconds / 1e9).toFixed(1).padStart(7),
    ((flops * calls) / seconds / 1e9).toFixed(1).padStart(8),
  ];
  return `${cells.join('')}  ${name}`;
}

function nameOf(kernel: Kernel): string {
  const inner = kernel.kind === 'matmul' ? `, K ${kernel.inner}` : '';
  return `${kernel.kind} ${kernel.label} (${kernel.loop.join('×')}${inner})`;
}

/** Each buffer once. */
function bytesOf({ buffers }: Kernel, plan: Plan): number {
  return buffers.reduce(
    (sum, { id, dtype }) => sum + plan.buffers[id]!.size * bytesPerElement(dtype),
    0,
  );
}

/** One for each elementwise value of each point, two for each product of a matmul, one for each reduced element. */
function flopsOf(kernel: Kernel): number {
  const points = kernel.loop.reduce((a, b) => a * b, 1);
  const values = kernel.values.filter(({ kind }) => kind === 'op').length;
  const sums =
    kernel.kind === 'row'
      ? kernel.stages.reduce((sum, { accumulators }) => sum + accumulators.length, 0)
      : 0;
  return points * (values + sums + (kernel.kind === 'matmul' ? 2 * kernel.inner : 0));
}
