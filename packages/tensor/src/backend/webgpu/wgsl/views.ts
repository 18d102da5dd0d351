/**
 * @file How a kernel sees its buffers. A buffer all of whose accesses take four neighbours at once is
 * declared as vectors (`packed`); a 16-bit buffer that is written otherwise is declared as atomic words,
 * because two invocations share a word.
 */
import type { ScalarType } from '../../../dtype.ts';
import { bytesPerElement, computeType, type DType } from '../../../dtype.ts';
import { ELEMENTWISE } from '../../../ops/elementwise.ts';
import type { Affine, Kernel, KernelBuffer, Value } from '../../../schedule/kernel.ts';

/** A buffer as a kernel declares it. */
export interface View {
  readonly name: string;
  readonly dtype: DType;
  readonly mode: 'scalar' | 'packed' | 'atomic';
  readonly access: KernelBuffer['access'];
}

/** True when `at` addresses four neighbours on the last axis, the first at a multiple of four. */
export function aligned(at: Affine): boolean {
  const last = at.strides.length - 1;
  const rest = at.strides.every((stride, i) => i === last || stride % 4 === 0);
  return at.strides[last] === 1 && at.offset % 4 === 0 && rest;
}

function packable(value: Value, kernel: Kernel, varies: readonly boolean[]): boolean {
  if (value.kind !== 'load' && value.kind !== 'gather') return true;
  const plain = value.guard === undefined && aligned(value.at);
  const typed = computeType(kernel.buffers[value.from]!.dtype) === value.dtype;
  if (value.kind === 'load') return plain && typed;
  return plain && typed && value.stride % 4 === 0 && !varies[value.index];
}

/**
 * Positions of the buffers that some access touches and every access takes by four. `refused` names
 * buffers that are accessed in other ways besides.
 */
export function packedBuffers(
  kernel: Kernel,
  varies: readonly boolean[],
  refused: ReadonlySet<number>,
): Set<number> {
  const good = new Set<number>();
  const bad = new Set<number>(refused);
  for (const value of kernel.values) {
    if (value.kind !== 'load' && value.kind !== 'gather') continue;
    (packable(value, kernel, varies) ? good : bad).add(value.from);
  }
  for (const store of kernel.stores) (aligned(store.at) ? good : bad).add(store.to);
  return new Set([...good].filter((position) => !bad.has(position)));
}

/** The views of a kernel's buffers, given which are packed. */
export function viewsOf(kernel: Kernel, packed: ReadonlySet<number>): View[] {
  return kernel.buffers.map(({ dtype, access }, i) => ({
    name: `b${i}`,
    dtype,
    access,
    mode: packed.has(i) ? 'packed' : sharedWords(dtype, access) ? 'atomic' : 'scalar',
  }));
}

function sharedWords(dtype: DType, access: KernelBuffer['access']): boolean {
  return bytesPerElement(dtype) === 2 && access !== 'read';
}

const WORD: Record<DType, string> = {
  f32: 'f32',
  i32: 'i32',
  u32: 'u32',
  bool: 'u32',
  f16: 'u32',
  bf16: 'u32',
};

function elementText(view: View): string {
  if (view.mode === 'atomic') return 'atomic<u32>';
  if (view.mode === 'scalar') return WORD[view.dtype];
  return `vec${bytesPerElement(view.dtype) === 2 ? 2 : 4}<${WORD[view.dtype]}>`;
}

/** The declaration of a buffer at a binding. */
export function declare(view: View, binding: number): string {
  const access = view.access === 'read' ? 'read' : 'read_write';
  return `@group(0) @binding(${binding}) var<storage, ${access}> ${view.name}: array<${elementText(view)}>;`;
}

/** One element as its compute type; `at` is the text of an i32 element address. */
export function loadText(view: View, at: string): string {
  if (bytesPerElement(view.dtype) === 2)
    return `camada_${view.dtype}(${halfWord(view, at)}, ${at})`;
  const word =
    view.mode === 'packed' ? `${view.name}[(${at}) >> 2u][(${at}) & 3]` : `${view.name}[${at}]`;
  return view.dtype === 'bool' ? `(${word} != 0u)` : word;
}

function halfWord(view: View, at: string): string {
  if (view.mode === 'packed') return `${view.name}[(${at}) >> 2u][((${at}) >> 1u) & 1]`;
  const word = `${view.name}[(${at}) >> 1u]`;
  return view.mode === 'atomic' ? `atomicLoad(&${word})` : word;
}

/** Four elements of a packed view; `quad` is the text of an i32 address in units of four elements. */
export function loadQuadText(view: View, quad: string): string {
  const word = `${view.name}[${quad}]`;
  if (bytesPerElement(view.dtype) === 2) return `camada_${view.dtype}x4(${word})`;
  return view.dtype === 'bool' ? `(${word} != vec4<u32>(0u))` : word;
}

/** A value of type `from` as type `to`. */
export function convertText(text: string, from: ScalarType, to: ScalarType): string {
  return from === to ? text : ELEMENTWISE.cast.wgsl([text], to, from);
}

function stored(view: View, text: string, from: ScalarType): string {
  const value = convertText(text, from, computeType(view.dtype));
  if (view.dtype === 'bool') return `select(0u, 1u, ${value})`;
  return bytesPerElement(view.dtype) === 2 ? `camada_to_${view.dtype}(${value})` : value;
}

/** Statements that write one element. */
export function storeText(view: View, at: string, text: string, from: ScalarType): string[] {
  const value = stored(view, text, from);
  if (view.mode === 'scalar') return [`${view.name}[${at}] = ${value};`];
  // Neighbours write the other half: clearing and setting only our own bits needs no retry.
  const word = `&${view.name}[(${at}) >> 1u]`;
  const shift = `(u32((${at}) & 1) * 16u)`;
  return [
    `atomicAnd(${word}, 0xffff0000u >> ${shift});`,
    `atomicOr(${word}, ${value} << ${shift});`,
  ];
}

/** The statement that writes four elements of a packed view. */
export function storeQuadText(
  view: View,
  quad: string,
  texts: readonly string[],
  from: ScalarType,
): string {
  const parts = texts.map((text) => stored(view, text, from));
  if (bytesPerElement(view.dtype) === 4)
    return `${view.name}[${quad}] = ${elementText(view)}(${parts.join(', ')});`;
  const low = `(${parts[0]}) | (${parts[1]} << 16u)`;
  return `${view.name}[${quad}] = vec2<u32>(${low}, (${parts[2]}) | (${parts[3]} << 16u));`;
}
