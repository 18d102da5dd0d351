/** @file Products on wasm through the public API, against the peers and the machine's own ceiling. */
import { PRODUCTS, SKINNY, gigaflops } from '../programs/matmul.mjs';
import { bounded, reported, versus } from '../harness/rows.mjs';
import { ceiling, jaxWasm, tfjsWasm, torch, wasm } from './contenders.mjs';

const PEERS = ['TensorFlow.js', 'jax-js'];
const QUICK = ['512³', '128×384×1536 NT', '1024×384×8'];
const all = { ...PRODUCTS, ...SKINNY };

export const name = 'wasm-matmul';
export const title = 'Products on wasm (GF/s)';

/** What is measured. */
export function groups(quick) {
  const labels = Object.keys(all).filter((label) => !quick || QUICK.includes(label));
  return {
    ceiling: {
      contenders: { ceiling },
      tasks: Object.fromEntries(
        [1, 2].map((threads) => [`${threads}`, { task: 'ceiling', params: { threads } }]),
      ),
    },
    products: {
      contenders: {
        'Camada, 1 thread': wasm(1),
        'Camada, 2 threads': wasm(2),
        'TensorFlow.js': tfjsWasm,
        'jax-js': jaxWasm,
        ...(quick ? {} : torch),
      },
      tasks: Object.fromEntries(
        labels.map((label) => [label, { task: 'matmul', params: { ...all[label], warm: 5 } }]),
      ),
    },
  };
}

/** Rows of the table. */
export function rows({ ceiling: ceilings, products }) {
  return Object.keys(products).flatMap((label) => {
    const results = products[label];
    const show = (ms) => `${gigaflops(all[label], ms).toFixed(1)}`;
    const skinny = label in SKINNY;
    const against = (threads, least) =>
      versus(`${label}, ${threads}`, results, {
        ours: `Camada, ${threads}`,
        peers: PEERS,
        least,
        show,
      });
    const pairs = [
      against('1 thread', skinny ? undefined : 1.6),
      against('2 threads', skinny ? 1.6 : 3),
    ];
    return skinny ? pairs : [...pairs, share(label, results, ceilings)];
  });
}

/** One thread's share of what a core can do. */
function share(label, results, ceilings) {
  const top = reported(ceilings['1'].ceiling, 'gigaflops');
  const mine = results['Camada, 1 thread']?.median;
  const value = (100 * gigaflops(all[label], mine)) / top;
  return bounded(`${label}, share of a core's ${top?.toFixed(0)} GF/s`, value, {
    least: 85,
    unit: ' %',
    digits: 0,
  });
}
