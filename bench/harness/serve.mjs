/**
 * @file A contender's side of the line protocol: one JSON request a line on stdin, one JSON answer a line on stdout. A
 * contender stays alive and works only when told, so that rounds of several contenders interleave and its peak
 * memory is its own. `contenders/torch.py` speaks the same.
 *
 * - `prepare {task, params}`: makes the task, runs it once (`first` ms) and then until it is warm;
 * - `round {budget, least}`: runs it for `budget` ms and at least `least` times; answers `times` in ms;
 * - `report`: what the task says of itself, the values that its first runs returned, peak resident bytes;
 * - `release`: drops the task.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const KEPT_VALUES = 8;

/** Most bytes of this process ever resident; of Linux's own count where there is one, since `maxRSS` counts the parent too. */
export function peakResident() {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}

/** Runs a task once; keeps its first values. Milliseconds. */
async function timed(state) {
  const start = performance.now();
  const value = await state.task.run();
  const time = performance.now() - start;
  if (typeof value === 'number' && state.values.length < KEPT_VALUES) state.values.push(value);
  return time;
}

async function prepare(state, makers, { task, params }) {
  const make = makers[task];
  if (!make) throw new Error(`no task ${task}`);
  state.values = [];
  state.task = await make(params);
  const first = await timed(state);
  // Code that was compiled quickly is replaced by better code while it runs.
  const warm = [];
  for (let i = 0; i < (params.warm ?? 2); i++) warm.push(await timed(state));
  return { first, warm };
}

async function round(state, { budget, least }) {
  const times = [];
  const end = performance.now() + budget;
  while (times.length < least || performance.now() < end) times.push(await timed(state));
  return { times };
}

/** Answers requests until stdin ends. `makers`: name of a task to `params => { run, report?, release? }`. */
export function serve(makers) {
  const state = { task: undefined, values: [] };
  const handlers = {
    prepare: (request) => prepare(state, makers, request),
    round: (request) => round(state, request),
    report: () => ({ peak: peakResident(), values: state.values, ...state.task?.report?.() }),
    release: () => {
      state.task?.release?.();
      state.task = undefined;
      return {};
    },
  };
  let last = Promise.resolve();
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    last = last.then(() => answer(handlers, JSON.parse(line)));
  });
  lines.on('close', () => void last.then(() => process.exit(0)));
}

async function answer(handlers, request) {
  let reply;
  try {
    reply = await handlers[request.op](request);
  } catch (error) {
    reply = { error: String(error?.message ?? error).split('\n')[0] };
  }
  process.stdout.write(`\n@${JSON.stringify(reply)}\n`);
}
