/**
 * @file Draws two small cases of every public operation from the catalogue, for `catalogue.py`: JSON on stdout.
 * Needs a build (`npx tsc -b`).
 */
import { Draw, FAMILIES } from '../../packages/tensor/dist/catalogue/index.js';

const CASES = 2;
const LARGEST = 16;
const SEEDS = 200;

/** Some cases with elements in them, unless the operation has only empty ones. */
function casesOf(record) {
  const found = [];
  for (let seed = 1; seed < SEEDS && found.length < CASES; seed++) {
    const dtype = record.dtypes[0];
    const { inputs, call } = record.sample(Draw.seeded(seed, LARGEST), dtype);
    if (inputs.every(({ data }) => data.length > 0)) found.push({ call, inputs });
  }
  return found;
}

const families = Object.entries(FAMILIES).map(([family, records]) => [
  family,
  Object.fromEntries(
    Object.entries(records).map(([name, record]) => [
      name,
      { gradient: record.gradient, cases: casesOf(record) },
    ]),
  ),
]);
console.log(JSON.stringify(Object.fromEntries(families)));
