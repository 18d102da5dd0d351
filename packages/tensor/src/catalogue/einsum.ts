/** @file The record of Einstein summation: a sum over all values of all letters. */
import type * as functions from '../einsum.ts';
import { einsum } from '../einsum.ts';
import { fromIndex, indicesOf, type HostArray } from './host.ts';
import { NUMERIC, type OpRecord } from './record.ts';

/** Subscripts with all letters written out, and the result's. `.` and `:` are axes under an ellipsis. */
const CALLS = [
  { text: 'ij,jk->ik', terms: ['ij', 'jk'], output: 'ik' },
  { text: 'bij,bjk->bik', terms: ['bij', 'bjk'], output: 'bik' },
  { text: 'bqhd,bkhd->bhqk', terms: ['bqhd', 'bkhd'], output: 'bhqk' },
  { text: '...ij,...jk', terms: ['.ij', '.jk'], output: '.ik' },
  { text: 'i...,ij...->j...', terms: ['i.', 'ij.'], output: 'j.' },
  { text: 'ij,kj,k->ik', terms: ['ij', 'kj', 'k'], output: 'ik' },
  { text: 'a,ab,bc->c', terms: ['a', 'ab', 'bc'], output: 'c' },
  { text: 'ii->i', terms: ['ii'], output: 'i' },
  { text: 'ii', terms: ['ii'], output: '' },
  { text: 'ba', terms: ['ba'], output: 'ab' },
  { text: 'ijk->ki', terms: ['ijk'], output: 'ki' },
  { text: 'i,j->ij', terms: ['i', 'j'], output: 'ij' },
  { text: 'iij,j->i', terms: ['iij', 'j'], output: 'i' },
  { text: 'ij,ij->', terms: ['ij', 'ij'], output: '' },
  { text: 'ij,k->i', terms: ['ij', 'k'], output: 'i' },
] as const;

function element(x: HostArray, term: string, values: ReadonlyMap<string, number>): number {
  const index = [...term].map((letter) => values.get(letter)!);
  return x.data[index.reduce((p, i, axis) => p * x.shape[axis]! + i, 0)]!;
}

const EINSUM: OpRecord = {
  dtypes: NUMERIC,
  gradient: 'smooth',
  tolerance: 2e-5,
  sample: (draw, dtype) => {
    const { text, terms, output } = draw.pick(CALLS);
    const letters = [...new Set(terms.join(''))];
    const sizes = new Map(letters.map((letter) => [letter, draw.int(1, 4)]));
    const shape = (term: string): number[] => [...term].map((letter) => sizes.get(letter)!);
    const summed = letters.filter((letter) => !output.includes(letter));
    const names = ['x', 'y', 'z'].slice(0, terms.length).join(', ');
    return {
      inputs: terms.map((term) => draw.array(shape(term), dtype)),
      call: `einsum('${text}', ${names})`,
      run: (x) => einsum(text, ...x),
      reference: (x) =>
        fromIndex(shape(output), dtype, (index) => {
          const values = new Map([...output].map((letter, i) => [letter, index[i]!]));
          let sum = 0;
          for (const rest of indicesOf(shape(summed.join('')))) {
            summed.forEach((letter, i) => values.set(letter, rest[i]!));
            sum += terms.reduce((p, term, i) => p * element(x[i]!, term, values), 1);
          }
          return sum;
        }),
    };
  },
};

/** The record of Einstein summation. */
export const EINSUM_OPS: Readonly<Record<keyof typeof functions, OpRecord>> = { einsum: EINSUM };
