/**
 * @file Do the tests notice? Plants one fault at a time in a copy of the sources and runs the test files that
 * should catch it: `node tools/mutate.mjs [name]`. Prints each verdict and the score; exit code 1 if a fault
 * survives or no longer finds its place in the text.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const TENSOR = 'packages/tensor/src';
const LAWS = ['packages/tensor/test/laws', 'packages/tensor/test/schedule'];
const GRADIENTS = ['packages/autograd/test'];
const FAULTS = ['split', 'splitting', 'memory', 'state'].map(
  (name) => `packages/tensor/test/faults/${name}.test.ts`,
);

/** One fault: what the text becomes, and the tests that must fail. */
const MUTATIONS = [
  {
    name: 'a wrong sign in a gradient rule',
    file: 'packages/autograd/src/rules/elementwise.ts',
    from: 'cos: [({ dy, x }) => dy.mul(x.sin()).neg()]',
    to: 'cos: [({ dy, x }) => dy.mul(x.sin())]',
    tests: GRADIENTS,
  },
  {
    name: 'an off-by-one in the start of a slice',
    file: `${TENSOR}/schedule/moved.ts`,
    from: 'return addScaled(constantExpr(start), expr, step);',
    to: 'return addScaled(constantExpr(Math.max(0, start - 1)), expr, step);',
    tests: LAWS,
  },
  {
    name: 'a wrong stride of a flattened index',
    file: `${TENSOR}/shape.ts`,
    from: 'strides[i] = strides[i + 1]! * shape[i + 1]!',
    to: 'strides[i] = strides[i + 1]! * Math.max(1, shape[i + 1]! - Number(shape[i + 1]! > 7))',
    tests: LAWS,
  },
  {
    name: 'swapped inputs of a fused op',
    file: `${TENSOR}/schedule/lower.ts`,
    from: 'return this.op(node.attrs.name, computeType(node.dtype), args);',
    to: 'return this.op(node.attrs.name, computeType(node.dtype), args.length === 2 ? args.toReversed() : args);',
    tests: LAWS,
  },
  {
    name: 'a stale host number',
    file: `${TENSOR}/run.ts`,
    from: 'return { inputs: traced.inputs, words, outputs };',
    to: 'return { inputs: traced.inputs, words: (STALE[traced.key] ??= words), outputs };\n}\nconst STALE: Record<string, Uint32Array> = {};\n{',
    tests: [...LAWS, ...GRADIENTS],
  },
  {
    name: 'a missing barrier between the passes of a row',
    file: `${TENSOR}/backend/webgpu/wgsl/row.ts`,
    from: "return [...put, 'workgroupBarrier();', ...body, 'workgroupBarrier();'];",
    to: "return [...put, ...body, 'workgroupBarrier();'];",
    tests: ['packages/tensor/test/webgpu', ...LAWS],
  },
  {
    name: 'a missing barrier in the tiled matmul',
    file: `${TENSOR}/backend/webgpu/wgsl/tiled.ts`,
    from: "...fillB(writer, edge),\n      'workgroupBarrier();',",
    to: '...fillB(writer, edge),',
    tests: ['packages/tensor/test/webgpu'],
  },
  {
    name: 'scratch given back while it is still read',
    file: `${TENSOR}/schedule/memory.ts`,
    from: 'this.lastUse.get(object) === now',
    to: 'this.lastUse.get(object)! >= now',
    tests: LAWS,
  },
  {
    name: 'a parameter overwritten before its last reader',
    file: `${TENSOR}/schedule/memory.ts`,
    from: '|| (last !== undefined && last > at)',
    to: '',
    tests: [...LAWS, ...GRADIENTS],
  },
  {
    name: 'a program cached under a key without the axes',
    file: `${TENSOR}/graph/trace.ts`,
    from: 'return `${node.attrs.name}:${node.attrs.axes.join()}`;',
    to: 'return node.attrs.name;',
    tests: LAWS,
  },
  {
    name: 'the identity of max is 0 on wasm',
    file: `${TENSOR}/ops/reduction.ts`,
    from: 'max: { identity: -Infinity,',
    to: 'max: { identity: 0,',
    tests: LAWS,
  },
  {
    name: "Adam's second moment corrected at the wrong step",
    file: 'packages/nn/src/optim/adam.ts',
    from: '1 / Math.sqrt(1 - beta2 ** this.steps)',
    to: '1 / Math.sqrt(1 - beta2 ** (this.steps + 1))',
    tests: ['packages/nn/test/optim.test.ts'],
  },
  {
    name: 'a split sum that forgets the pieces before',
    file: `${TENSOR}/backend/webgpu/split/split.ts`,
    from: 'from: summed ? middle : task.from,',
    to: 'from: task.from,',
    tests: FAULTS,
  },
  {
    name: 'a window of a split kernel that ends too early',
    file: `${TENSOR}/backend/webgpu/split/reach.ts`,
    from: 'Math.ceil(((last + 1) * width) / GRAIN) * GRAIN - offset',
    to: 'Math.floor(((last + 1) * width) / GRAIN) * GRAIN - offset',
    tests: FAULTS,
  },
  {
    name: 'an update kept although its run was refused',
    file: `${TENSOR}/realize.ts`,
    from: 'pending.delete(holder);\n    undoUpdates([update]);',
    to: 'pending.delete(holder);',
    tests: FAULTS,
  },
  {
    name: 'a read that does not ask whether the device failed',
    file: `${TENSOR}/backend/webgpu/backend.ts`,
    from: 'const results = await Promise.all(waits);\n      this.#health.check();',
    to: 'const results = await Promise.all(waits);',
    tests: FAULTS,
  },
];

/** A copy of the checkout whose packages import each other, with the original's other dependencies. */
function copyTree() {
  const copy = mkdtempSync(path.join(tmpdir(), 'camada-mutants-'));
  for (const name of execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).split('\n'))
    if (name && !name.startsWith('docs/')) cpSync(path.join(root, name), path.join(copy, name));
  mkdirSync(path.join(copy, 'node_modules/@camada'), { recursive: true });
  for (const name of readdirSync(path.join(root, 'node_modules')))
    if (name !== '@camada')
      symlinkSync(path.join(root, 'node_modules', name), path.join(copy, 'node_modules', name));
  for (const name of readdirSync(path.join(copy, 'packages'))) {
    symlinkSync(path.join(copy, 'packages', name), path.join(copy, 'node_modules/@camada', name));
    // A few tests start a process of their own on what was built.
    const built = path.join('packages', name, 'dist');
    symlinkSync(path.join(root, built), path.join(copy, built));
  }
  return copy;
}

/** True when the tests pass; `show` prints them. */
function passes(copy, tests, show = false) {
  const arguments_ = ['vitest', 'run', '--project', 'node', '--bail', '1', ...tests];
  const { status, error } = spawnSync('npx', arguments_, {
    cwd: copy,
    stdio: show ? 'inherit' : 'ignore',
  });
  if (error) throw error;
  return status === 0;
}

/** What became of one fault: caught, survived, or its place is gone. */
function verdictOf(copy, { file, from, to, tests }) {
  const target = path.join(copy, file);
  const text = readFileSync(target, 'utf8');
  if (text.split(from).length !== 2) return 'no such place';
  writeFileSync(
    target,
    text.replace(from, () => to),
  );
  try {
    return passes(copy, tests) ? 'SURVIVED' : 'caught';
  } finally {
    writeFileSync(target, text);
  }
}

const wanted = process.argv[2];
const chosen = MUTATIONS.filter(({ name }) => !wanted || name.includes(wanted));
const copy = copyTree();
let caught = 0;
try {
  // A fault is caught only by tests that pass without it.
  const tests = [...new Set(chosen.flatMap((mutation) => mutation.tests))];
  if (!passes(copy, tests))
    throw new Error(`these tests fail without any fault: ${tests.join(' ')}`);
  for (const mutation of chosen) {
    const start = Date.now();
    const verdict = verdictOf(copy, mutation);
    if (verdict === 'caught') caught++;
    const seconds = ((Date.now() - start) / 1000).toFixed(0);
    console.log(`${verdict.padEnd(14)} ${mutation.name} (${mutation.file}, ${seconds} s)`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
console.log(`${caught} of ${chosen.length} faults caught`);
process.exitCode = caught === chosen.length ? 0 : 1;
