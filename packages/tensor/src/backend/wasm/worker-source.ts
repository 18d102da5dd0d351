/**
 * @file The program of a worker thread, as text: it must start from a string, since a library cannot know
 * under which address a bundler or a server will offer its files. Also the words through which the caller
 * and its workers speak.
 *
 * A job is open while word `open` holds its number. A worker first counts itself into `active`, then looks
 * at `open`; the caller first closes the job, then waits for `active` to be 0. So the caller waits only for
 * workers that have entered, never for one that is still asleep.
 */
import { LIBRARY } from './library.ts';

/** Positions of the 32-bit control words. */
export const WORD = {
  /** Number of the newest job; workers sleep on it. */
  ticket: 0,
  /** Number of the job that may be entered, or 0. */
  open: 1,
  /** Workers inside. */
  active: 2,
  /** Next unit nobody has taken. */
  next: 3,
  units: 4,
  /** Units taken at a time. */
  step: 5,
  args: 6,
  module: 7,
  moduleAddress: 8,
  moduleBytes: 9,
  function: 10,
  /** Workers that failed. */
  failed: 11,
  /** Nonzero ends the workers. */
  end: 12,
  libraryAddress: 13,
  libraryBytes: 14,
} as const;

/** What a worker starts with. */
export interface WorkerStart {
  readonly memory: WebAssembly.Memory;
  /** Address of the control words. */
  readonly control: number;
  /** Address of the worker's scratch. */
  readonly scratch: number;
}

const SERVE: string = `
const W = ${JSON.stringify(WORD)};
const LIBRARY = ${JSON.stringify(LIBRARY)};
const MOST_MODULES = 256;
const SPIN_MILLISECONDS = 0.15;

function serve({ memory, control, scratch }) {
  const words = new Int32Array(memory.buffer, control, ${Object.keys(WORD).length});
  const get = (word) => Atomics.load(words, word);
  const modules = new Map();
  let library;

  const compile = (address, bytes, imports) => {
    address >>>= 0;
    if (memory.buffer.byteLength < address + bytes) memory.grow(0);
    const code = new Uint8Array(memory.buffer, address, bytes).slice();
    const copy = new Uint8Array(new ArrayBuffer(bytes));
    copy.set(code);
    const env = { memory, ...imports };
    return new WebAssembly.Instance(new WebAssembly.Module(copy), { env }).exports;
  };
  const callOf = () => {
    if (!library) {
      const exports = compile(get(W.libraryAddress), get(W.libraryBytes), {});
      library = Object.fromEntries(LIBRARY.map((name) => [name, exports[name]]));
    }
    const id = get(W.module);
    if (!modules.has(id)) {
      if (modules.size >= MOST_MODULES) modules.delete(modules.keys().next().value);
      modules.set(id, compile(get(W.moduleAddress), get(W.moduleBytes), library));
    }
    return modules.get(id)['k' + get(W.function)];
  };
  const work = () => {
    const [units, step, args] = [get(W.units), get(W.step), get(W.args)];
    let call;
    for (;;) {
      const begin = Atomics.add(words, W.next, step);
      if (begin >= units) return;
      call ??= callOf();
      call(args, begin, Math.min(begin + step, units), scratch);
    }
  };
  const enter = (job) => {
    Atomics.add(words, W.active, 1);
    try {
      if (get(W.open) === job) work();
    } catch (error) {
      Atomics.add(words, W.failed, 1);
      console.error('camada: a wasm worker failed:', error);
    }
    Atomics.sub(words, W.active, 1);
    Atomics.notify(words, W.active);
  };

  let seen = 0;
  const await_ = () => {
    const until = performance.now() + SPIN_MILLISECONDS;
    while (performance.now() < until)
      for (let i = 0; i < 64; i++) if (get(W.ticket) !== seen) return;
    Atomics.wait(words, W.ticket, seen);
  };
  while (!get(W.end)) {
    await_();
    const job = get(W.ticket);
    if (job === seen) continue;
    seen = job;
    enter(job);
  }
}
`;

/** Text of a worker of node:worker_threads, to be evaluated as a script. */
export const NODE_WORKER: string = `${SERVE}\nserve(require('node:worker_threads').workerData);`;

/** Text of a browser's worker; it starts with the first message. */
export const WEB_WORKER: string = `${SERVE}\nself.onmessage = ({ data }) => serve(data);`;
