/**
 * @file Do other libraries give the same numbers? Runs random cases of every operation that jax-js or
 * TensorFlow.js has under some name, on their own devices, against our f64 meaning of it, and lists what
 * agrees within 1e-5, what differs and why, and what they lack. Needs a build and `npm ci` in this folder.
 */
import { CATALOGUE, Draw } from '../packages/tensor/dist/catalogue/index.js';
import * as jax from './peers/jax.mjs';
import * as tensorflow from './peers/tensorflow.mjs';
import { Unsupported } from './peers/unsupported.mjs';

const TOLERANCE = 1e-5;
const CASES = 6;
const LARGEST = 64;

/** Known differences in meaning, by peer and operation. */
const REASONS = {
  'jax-js': {
    pow: 'its f32 power is e^(y·ln x), off by more than 1e-5 for large exponents',
    log2: 'its f32 logarithm is off by 1.2e-5 near 8',
    softplus: 'it has no threshold above which softplus is the identity, as PyTorch has',
    matmul:
      'a matrix times a batch of matrices has its batch axis in the wrong place ([3, 5, 8] for [5, 3, 8])',
    einsum: 'its parser fails on subscripts without an output',
  },
  'TensorFlow.js': {
    softplus: 'it has no threshold above which softplus is the identity, as PyTorch has',
    cumsum: 'a negative axis gives a tensor without elements',
    cumprod: 'a negative axis gives a tensor without elements',
    expand: 'it does not broadcast to a size of zero',
    pad: 'it does not pad scalars',
    matmul: 'it takes no vectors and does not broadcast batches of every rank',
    einsum: 'it takes no subscripts without an output, no ellipsis and no diagonals',
  },
};

/** A peer's tensor that answers to our methods. */
function wrap(peer, value) {
  return new Proxy(
    { value },
    {
      get(target, name) {
        if (name === 'value' || typeof name === 'symbol') return target[name];
        const method = peer.methods[name];
        if (!method) throw new Missing(name);
        return (...args) => wrap(peer, method(target.value, ...args.map(unwrap)));
      },
    },
  );
}

class Missing extends Error {}

function unwrap(arg) {
  if (Array.isArray(arg)) return arg.map(unwrap);
  return arg !== null && typeof arg === 'object' && 'value' in arg ? arg.value : arg;
}

/** Runs the text of a call with the peer's functions. */
function evaluate(peer, call, inputs) {
  const scope = Object.fromEntries(
    Object.entries(peer.functions).map(([name, f]) => [
      name,
      (...args) => wrap(peer, f(...args.map(unwrap))),
    ]),
  );
  ['x', 'y', 'z', 'w'].forEach((name, i) => (scope[name] = inputs[i]));
  const known = /^\w+(?=\()/.exec(call)?.[0];
  if (known && !(known in scope)) throw new Missing(known);
  // The text is our own catalogue's.
  // oxlint-disable-next-line typescript/no-implied-eval
  return [new Function(...Object.keys(scope), `return ${call};`)(...Object.values(scope))].flat();
}

async function errorOf(peer, drawn) {
  const inputs = drawn.inputs.map((x) => wrap(peer, peer.make(x)));
  const outputs = evaluate(peer, drawn.call, inputs);
  const expected = [drawn.reference(drawn.inputs)].flat();
  let worst = 0;
  for (const [k, output] of outputs.entries()) {
    const got = await peer.read(output.value);
    if (got.length !== expected[k].data.length) return Infinity;
    expected[k].data.forEach((want, i) => {
      const error = want === got[i] ? 0 : Math.abs(got[i] - want) / (1 + Math.abs(want));
      worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
    });
  }
  return worst;
}

/** What came of one operation: its largest error, an error's text, or undefined where the peer has none such. */
async function verdict(peer, record) {
  let worst = { error: 0, line: '' };
  for (let seed = 1; seed <= CASES; seed++) {
    const drawn = record.sample(Draw.seeded(seed, LARGEST), record.dtypes[0]);
    if (drawn.inputs.some(({ data }) => data.length === 0)) continue;
    try {
      const error = await errorOf(peer, drawn);
      if (error > worst.error)
        worst = {
          error,
          line: `${drawn.call} of ${drawn.inputs.map(({ shape }) => `[${shape}]`).join(' ')}`,
        };
    } catch (error) {
      if (error instanceof Missing) return undefined;
      if (error instanceof Unsupported) continue;
      return {
        error: Infinity,
        line: `${drawn.call} of ${drawn.inputs.map(({ shape }) => `[${shape}]`).join(' ')}: ${error.message.split('\n')[0]}`,
      };
    }
  }
  return worst;
}

for (const peer of [jax, tensorflow]) {
  await peer.open();
  const lists = { agree: [], differ: [], lack: [] };
  for (const [name, record] of CATALOGUE) {
    const found = await verdict(peer, record);
    if (!found) lists.lack.push(name);
    else if (found.error <= TOLERANCE) lists.agree.push(name);
    else lists.differ.push({ name, ...found });
  }
  console.log(
    `\n${peer.name}: ${lists.agree.length} agree within ${TOLERANCE}, ${lists.differ.length} differ`,
  );
  console.log(`  agree: ${lists.agree.join(' ')}`);
  for (const { name, error, line } of lists.differ) {
    const reason = REASONS[peer.name]?.[name];
    console.log(
      [
        '  ',
        name,
        ': ',
        error.toExponential(1),
        '; ',
        reason ?? `UNEXPLAINED ${String(line)}`,
      ].join(''),
    );
    if (!reason) process.exitCode = 1;
  }
  console.log(`  not compared (no counterpart called): ${lists.lack.join(' ')}`);
}
