/** @file Records of diagonals and triangles of matrices. */
import type { Draw } from './draw.ts';
import { at, fromIndex } from './host.ts';
import type { OpRecord } from './record.ts';
import { view, type View, type ViewRecords } from './view.ts';

function triangle(name: 'tril' | 'triu'): OpRecord {
  return view(2, (draw, from) => {
    const offset = draw.int(-3, 3);
    const keeps = (i: number, j: number): boolean =>
      name === 'tril' ? j <= i + offset : j >= i + offset;
    return {
      call: `${name}(${offset})`,
      run: (x) => x[name](offset),
      shape: from,
      element: (x, index) => (keeps(index.at(-2)!, index.at(-1)!) ? at(x, index) : 0),
    };
  });
}

/** The last axis on a diagonal. */
function embedded(name: 'diag' | 'diagEmbed', draw: Draw, from: number[]): View {
  const offset = draw.int(-2, 2);
  const n = from.at(-1)! + Math.abs(offset);
  return {
    call: `${name}(${offset})`,
    run: (x) => x[name](offset),
    shape: [...from.slice(0, -1), n, n],
    element: (x, index) => {
      const [i, j] = index.slice(-2) as [number, number];
      return j - i === offset ? at(x, [...index.slice(0, -2), Math.min(i, j)]) : 0;
    },
  };
}

/** Elements (i, i + offset) of the axes `a` and `b`, along a new last axis. */
function taken(
  call: string,
  run: View['run'],
  from: number[],
  offset: number,
  a: number,
  b: number,
): View {
  const places: (readonly [number, number])[] = [];
  for (let i = 0; i < from[a]!; i++)
    if (i + offset >= 0 && i + offset < from[b]!) places.push([i, i + offset]);
  const others = from.filter((_, axis) => axis !== a && axis !== b);
  return {
    call,
    run,
    shape: [...others, places.length],
    element: (x, index) => {
      const [i, j] = places[index.at(-1)!]!;
      const rest = index.slice(0, -1);
      return at(
        x,
        from.map((_, axis) => (axis === a ? i : axis === b ? j : rest.shift()!)),
      );
    },
  };
}

const TRACE: OpRecord = {
  dtypes: ['f32', 'i32'],
  gradient: 'smooth',
  tolerance: 1e-5,
  sample: (draw, dtype) => {
    const shape = draw.shape(2, 2);
    return {
      inputs: [draw.array(shape, dtype)],
      call: 'x.trace()',
      run: ([x]) => x!.trace(),
      reference: ([x]) =>
        fromIndex([], dtype, () => {
          let sum = 0;
          for (let i = 0; i < Math.min(shape[0]!, shape[1]!); i++) sum += at(x!, [i, i]);
          return sum;
        }),
    };
  },
};

/** Records of diagonals and triangles. */
export const DIAGONALS: Pick<
  ViewRecords,
  'tril' | 'triu' | 'diagEmbed' | 'diag' | 'diagonal' | 'trace'
> = {
  tril: triangle('tril'),
  triu: triangle('triu'),
  diagEmbed: view(1, (draw, from) => embedded('diagEmbed', draw, from), 3),
  diag: view(
    1,
    (draw, from) => {
      if (from.length === 1) return embedded('diag', draw, from);
      const offset = draw.int(-2, 2);
      return taken(`diag(${offset})`, (x) => x.diag(offset), from, offset, 0, 1);
    },
    2,
  ),
  diagonal: view(2, (draw, from) => {
    const offset = draw.int(-3, 3);
    const a = draw.int(0, from.length - 1);
    const b = (a + draw.int(1, from.length - 1)) % from.length;
    const call = `diagonal(${offset}, ${a}, ${b})`;
    return taken(call, (x) => x.diagonal(offset, a, b), from, offset, a, b);
  }),
  trace: TRACE,
};
