/**
 * @file The parts every shader shares: declarations of buffers and helpers around the entry point.
 */
import { foldGrid, type AdapterFacts, type Shader } from './facts.ts';
import { helpersFor } from './helpers.ts';
import { SCALARS } from './values.ts';
import { block } from './text.ts';
import { declare, type View } from './views.ts';

/** What a kind of kernel writes. */
export interface Body {
  readonly views: readonly View[];
  /** Declarations and functions before the entry point. */
  readonly before: readonly string[];
  /**
   * Statements of the entry point. In scope: `group` (u32, below `groups`), `local` (u32, position in the
   * workgroup).
   */
  readonly lines: readonly string[];
  /** Invocations of a workgroup. */
  readonly workgroup: number;
  /** Number of workgroups. */
  readonly groups: number;
  /** As in {@link Shader}. */
  readonly clear?: number;
}

/** A variable that is always 0, which the compiler cannot know: no dispatch has a third dimension. */
const NOTHING = 'camada_nothing';
/** A loop over a constant number of steps, as every loop here is written. */
const COUNTED = /for \(var (\w+) = (\w+); \1 < (\d+);/g;
/** The first line of the entry point. */
const START = /^fn main\(.*\{$/m;

/**
 * The text with bounds that hide their value. Compilers of software adapters write short loops out in full,
 * and then take minutes over the result (Mesa's llvmpipe: 15 s for one matmul, 1.5 s with its loops kept).
 */
function keepLoops(code: string): string {
  const kept = code.replaceAll(COUNTED, `for (var $1 = $2; $1 < $3 + ${NOTHING};`);
  if (kept === code) return code;
  const started = kept.replace(START, `$&\n  ${NOTHING} = i32(wid.z);`);
  return `var<private> ${NOTHING}: i32;\n${started}`;
}

/** A whole shader around a body. Workgroups beyond `groups`, which folding may add, leave at once. */
export function assemble(body: Body, facts: AdapterFacts): Shader {
  const grid = foldGrid(body.groups, facts.maxWorkgroups);
  const entry = block(
    'fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) local: u32)',
    [
      grid[1] === 1 ? 'let group = wid.x;' : `let group = wid.x + wid.y * ${grid[0]}u;`,
      ...(grid[0] * grid[1] > body.groups ? [`if (group >= ${body.groups}u) { return; }`] : []),
      ...body.lines,
    ],
  );
  const text = [...body.before, `@compute @workgroup_size(${body.workgroup})`, ...entry].join('\n');
  const scalars = text.includes(`${SCALARS}[`);
  const head = body.views.map(declare);
  if (scalars)
    head.push(
      `@group(0) @binding(${body.views.length}) var<storage, read> ${SCALARS}: array<u32>;`,
    );
  const code = [...head, helpersFor(text), text].filter((part) => part !== '').join('\n');
  return { code: facts.cpu ? keepLoops(code) : code, grid, clear: body.clear, scalars };
}
