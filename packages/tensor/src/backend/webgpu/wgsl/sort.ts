/**
 * @file Sorting rows by a bitonic network (Batcher 1968) whose comparisons all put the smaller pair first, so
 * that a row of any length is the beginning of one whose rest is larger than everything. Pairs of key and index
 * are all different: the network sorts stably. Rows that fit are sorted in workgroup memory, longer ones in
 * the output itself, by one workgroup each.
 */
import type { DType } from '../../../dtype.ts';
import type { SortKernel } from '../../../schedule/kernel.ts';
import { ceilDiv, type AdapterFacts } from './facts.ts';
import type { Body } from './shell.ts';
import { block } from './text.ts';
import { viewsOf } from './views.ts';

/** Bytes of a pair in workgroup memory. */
const PAIR = 8;
/** Invocations of a row. */
const MOST = { cpu: 16, gpu: 256 } as const;
/** With fewer invocations a row, a workgroup takes several rows. */
const GROUP = { cpu: 16, gpu: 64 } as const;
/** From so many rows on, software adapters give each to one invocation, which waits for nobody. */
const MANY_ROWS = 4;

/** How a sort is laid out. */
interface Layout {
  readonly kernel: SortKernel;
  /** The row's length filled up to a power of two. */
  readonly size: number;
  /** Invocations of a row. */
  readonly threads: number;
  /** Rows of a workgroup. */
  readonly rows: number;
  /** Pairs in workgroup memory, which SwiftShader clears by an instruction an element: never there. */
  readonly shared: boolean;
}

function layoutOf(kernel: SortKernel, facts: AdapterFacts): Layout {
  const kind = facts.cpu ? 'cpu' : 'gpu';
  const size = Math.max(2, 2 ** Math.ceil(Math.log2(kernel.length)));
  const alone = facts.cpu && kernel.rows >= MANY_ROWS;
  const threads = alone ? 1 : Math.min(size / 2, MOST[kind], facts.maxInvocations);
  const fitting = Math.floor(facts.workgroupBytes / (PAIR * size));
  const shared = !facts.cpu && fitting > 0;
  const rows = Math.min(
    Math.floor(GROUP[kind] / threads),
    kernel.rows,
    shared ? fitting : Infinity,
  );
  const several = shared || threads === 1 ? Math.max(1, rows) : 1;
  return { kernel, size, threads, rows: several, shared };
}

/** Writes a sort kernel. */
export function sortBody(kernel: SortKernel, facts: AdapterFacts): Body {
  const layout = layoutOf(kernel, facts);
  const { shared, threads, rows } = layout;
  return {
    // A NaN keeps its bits as a whole number.
    views: viewsOf(kernel, new Set()).map((view, i) =>
      i === 0 ? { ...view, dtype: 'u32' } : view,
    ),
    before: [...keyFunction(kernel), ...(shared ? sharedArrays(layout) : [])],
    lines: shared ? sharedLines(layout) : globalLines(layout),
    workgroup: threads * rows,
    groups: ceilDiv(kernel.rows, rows),
  };
}

const KEYS: Partial<Record<DType, readonly string[]>> = {
  f32: [
    'let size = bits & 0x7fffffffu;',
    'if (size > 0x7f800000u) { return 0xffffffffu; }',
    'if (size == 0u) { return 0x80000000u; }',
    'return bits ^ select(0x80000000u, 0xffffffffu, bits > 0x7fffffffu);',
  ],
  i32: ['return bits ^ 0x80000000u;'],
};

/** `sort_key`: bits of an element as u32 in whose order the elements are sorted; −0 is 0, NaN the largest. */
function keyFunction({ buffers, descending }: SortKernel): string[] {
  const lines = KEYS[buffers[0]!.dtype] ?? ['return bits;'];
  const key = descending ? '~ascending_key(bits)' : 'ascending_key(bits)';
  return [
    ...block('fn ascending_key(bits: u32) -> u32', lines),
    ...block('fn sort_key(bits: u32) -> u32', [`return ${key};`]),
  ];
}

/** Steps of the network; `exchange` compares the places `low` and `high` of the row. */
function network({ size, threads, shared }: Layout, exchange: readonly string[]): string[] {
  const places = [
    'let part = c / half;',
    'let i = c % half;',
    'let low = part * 2 * half + i;',
    // The first step of a merge compares a run with the mirrored next one.
    'let high = select(low + half, part * span + span - 1 - i, half * 2 == span);',
  ];
  const step = [
    ...block(`for (var c = t; c < ${size / 2}; c += ${threads})`, [...places, ...exchange]),
    ...(threads === 1 ? [] : [shared ? 'workgroupBarrier();' : 'storageBarrier();']),
  ];
  // No dispatch has a third dimension: a zero that the compiler cannot know keeps it from writing the loops out,
  // which takes seconds on software adapters. It is the same for the whole workgroup, as barriers demand.
  return [
    'let nothing = i32(wid.z);',
    ...block(
      `for (var span = 2; span <= ${size} + nothing; span = span * 2)`,
      block('for (var half = span / 2; half > 0; half = half / 2)', step),
    ),
  ];
}

function sharedArrays({ size, rows }: Layout): string[] {
  return [
    `var<workgroup> keys: array<u32, ${size * rows}>;`,
    `var<workgroup> places: array<i32, ${size * rows}>;`,
  ];
}

function sharedLines(layout: Layout): string[] {
  const { kernel, size, threads, rows } = layout;
  const { length } = kernel;
  const each = (body: readonly string[]): string[] =>
    block(`for (var i = t; i < ${size}; i += ${threads})`, body);
  return [
    `let t = i32(local) % ${threads};`,
    `let own = i32(local) / ${threads} * ${size};`,
    `let row = i32(group) * ${rows} + i32(local) / ${threads};`,
    `let inside = row < ${kernel.rows};`,
    ...each([
      'var key = 0xffffffffu;',
      `if (inside && i < ${length}) { key = sort_key(b0[row * ${length} + i]); }`,
      'keys[own + i] = key;',
      'places[own + i] = i;',
    ]),
    'workgroupBarrier();',
    ...network(layout, [
      'let a = own + low;',
      'let b = own + high;',
      'let ka = keys[a];',
      'let kb = keys[b];',
      'let pa = places[a];',
      'let pb = places[b];',
      ...block('if (kb < ka || (kb == ka && pb < pa))', [
        'keys[a] = kb;',
        'keys[b] = ka;',
        'places[a] = pb;',
        'places[b] = pa;',
      ]),
    ]),
    ...each([`if (inside && i < ${length}) { b1[row * ${length} + i] = places[own + i]; }`]),
  ];
}

/** Places past the end hold what is larger than all: they are never exchanged, so they need not be there. */
function globalLines(layout: Layout): string[] {
  const { threads, rows, kernel } = layout;
  const { length } = kernel;
  const alone = threads === 1;
  return [
    `let t = ${alone ? '0' : 'i32(local)'};`,
    `let row = i32(group) * ${rows} + ${alone ? 'i32(local)' : '0'};`,
    ...(alone ? [`if (row >= ${kernel.rows}) { return; }`] : []),
    `let own = row * ${length};`,
    ...block(`for (var i = t; i < ${length}; i += ${threads})`, ['b1[own + i] = i;']),
    ...(alone ? [] : ['storageBarrier();']),
    ...network(
      layout,
      block(`if (high < ${length})`, [
        'let pa = b1[own + low];',
        'let pb = b1[own + high];',
        'let ka = sort_key(b0[own + pa]);',
        'let kb = sort_key(b0[own + pb]);',
        ...block('if (kb < ka || (kb == ka && pb < pa))', [
          'b1[own + low] = pb;',
          'b1[own + high] = pa;',
        ]),
      ]),
    ),
  ];
}
