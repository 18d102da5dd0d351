/**
 * @file Writes docs/ops.md: every public operation with its types, gradient, and the largest error measured on each
 * back end. Needs a build. `node tools/ops.mjs`.
 */
import { writeFileSync } from 'node:fs';
import { openDevice, tensor, useDevice } from '../packages/tensor/dist/index.js';
import { Draw, FAMILIES } from '../packages/tensor/dist/catalogue/index.js';

const BACKENDS = ['wasm', 'webgpu'];
const CASES = 12;

const HEAD = `# Operations

Written by \`node tools/ops.mjs\` from the op table (\`packages/tensor/src/catalogue\`); the tests hold names, types and gradients
equal to it, and prove each line: values on every back end against the f64 meaning, first and second derivatives against central
differences, values and gradients against PyTorch's. Rules of NaN, overflow, division and promotion: [numerics.md](numerics.md).

**gradient**: _smooth_, the derivative exists (where it is unique); _zero_, it is 0 wherever it exists; _none_, asking for it is an
error. **error**: the largest |got − f64| / (1 + |f64|) in f32 over ${CASES} random cases of every type; 0 is bit-exact. Every
operation runs on every back end.

`;

/** Largest error of one case on the current device. */
async function errorOf(drawn) {
  const inputs = drawn.inputs.map(({ data, shape, dtype }) => tensor([...data], shape, dtype));
  const outputs = [drawn.run(inputs)].flat();
  const expected = [drawn.reference(drawn.inputs)].flat();
  let worst = 0;
  for (const [k, output] of outputs.entries()) {
    const got = await output.data();
    expected[k].data.forEach((want, i) => {
      const same = Object.is(want, got[i]) || want === got[i];
      worst = Math.max(worst, same ? 0 : Math.abs(got[i] - want) / (1 + Math.abs(want)));
    });
  }
  return worst;
}

/** Largest error of an operation over seeded cases of all its types. */
async function worstOf(record) {
  let worst = 0;
  for (const dtype of record.dtypes)
    for (let seed = 1; seed <= CASES; seed++)
      worst = Math.max(worst, await errorOf(record.sample(Draw.seeded(seed, 512), dtype)));
  return worst;
}

function show(error) {
  return error === 0 ? '0' : error.toExponential(0);
}

const measured = new Map();
const adapters = [];
for (const backend of BACKENDS) {
  const device = await openDevice(backend);
  useDevice(device);
  adapters.push(`${backend}: ${device.info.adapter}`);
  for (const records of Object.values(FAMILIES))
    for (const [name, record] of Object.entries(records))
      measured.set(name, [...(measured.get(name) ?? []), await worstOf(record)]);
  device.dispose();
}

const sections = Object.entries(FAMILIES).map(([family, records]) => {
  const rows = Object.entries(records).map(([name, { dtypes, gradient, tolerance }]) => {
    const errors = measured.get(name).map(show).join(' | ');
    return `| \`${name}\` | ${dtypes.join(' ')} | ${gradient} | ${errors} | ${show(tolerance)} |`;
  });
  const title = `## ${family[0].toUpperCase()}${family.slice(1)}`;
  const header = `| op | types | gradient | ${BACKENDS.map((b) => `error, ${b}`).join(' | ')} | bound |`;
  return `${title}\n\n${header}\n| --- | --- | --- | --- | --- | --- |\n${rows.join('\n')}\n`;
});

writeFileSync(
  new URL('../docs/ops.md', import.meta.url),
  `${HEAD}Measured on ${adapters.join('; ')}.\n\n${sections.join('\n')}`,
);
console.log(`docs/ops.md: ${measured.size} operations`);
