/**
 * @file `npm run bench`: every target of speed and memory, beside the peers, as a row with its verdict.
 *
 *     npm run bench -- [--quick] [--only NAME[,NAME]] [--rounds N] [--list]
 *
 * Peers come from `npm ci` in this folder; PyTorch takes part where `CAMADA_PYTHON` names a Python that has it. Writes
 * `results/<device>.json`, a suite at a time, so that suites measured at other times stay.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { measureGroup } from './harness/measure.mjs';
import { printTable } from './harness/table.mjs';
import * as gpt from './suites/gpt.mjs';
import * as hostTime from './suites/host-time.mjs';
import * as minilm from './suites/minilm.mjs';
import * as smollm2 from './suites/smollm2.mjs';
import * as wasmMatmul from './suites/wasm-matmul.mjs';
import * as wasmMlp from './suites/wasm-mlp.mjs';
import * as webgpu from './suites/webgpu.mjs';

const SUITES = [wasmMatmul, wasmMlp, hostTime, minilm, gpt, webgpu, smollm2];
const QUICK = { rounds: 1, budget: 150, least: 1 };
const FULL = { rounds: 5, budget: 1000, least: 2 };

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});

/** The device as a file name: processor and cores. */
function deviceName() {
  const [{ model }] = cpus();
  return `${model} ${cpus().length} cores`
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
}

function chosenSuites() {
  const wanted = values.only?.split(',');
  const unknown = wanted?.find((name) => !SUITES.some((suite) => suite.name === name));
  if (unknown !== undefined)
    throw new Error(`no suite ${unknown}; there are ${SUITES.map(({ name }) => name).join(', ')}`);
  return SUITES.filter(({ name }) => !wanted || wanted.includes(name));
}

function note(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text.slice(0, 100)}`);
}

async function measure(suite, effort) {
  const groups = suite.groups(values.quick);
  const results = {};
  for (const [label, group] of Object.entries(groups))
    results[label] = await measureGroup(group, effort, (text) => note(`${suite.name}: ${text}`));
  note('');
  return results;
}

function stored(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return {};
  }
}

/** Keeps the suites of other runs. */
function save(path, suite, entry) {
  const before = stored(path);
  const machine = {
    processor: cpus()[0].model,
    cores: cpus().length,
    memory: totalmem(),
    node: process.version,
  };
  const content = { machine, suites: { ...before.suites, [suite.name]: entry } };
  writeFileSync(path, `${JSON.stringify(content, undefined, 1)}\n`);
}

async function main() {
  if (values.list)
    return console.log(SUITES.map(({ name, title }) => `${name}: ${title}`).join('\n'));
  const effort = {
    ...(values.quick ? QUICK : FULL),
    ...(values.rounds && { rounds: Number(values.rounds) }),
  };
  const folder = new URL('results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const path = new URL(`${deviceName()}${values.quick ? '.quick' : ''}.json`, folder);
  const verdicts = {};
  for (const suite of chosenSuites()) {
    const results = await measure(suite, effort);
    const rows = suite.rows(results);
    if (rows.length === 0) continue;
    console.log(printTable(suite.title, rows));
    for (const { verdict } of rows) verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
    save(path, suite, { date: new Date().toISOString(), effort, rows, results });
  }
  console.log(
    `\n${Object.entries(verdicts)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ')}`,
  );
}

await main();
