/**
 * @file The binary format: sections and a module made of functions.
 * https://webassembly.github.io/spec/core/binary/modules.html
 */
import type { FunctionBody, ValueType } from './assembler.ts';
import { unsigned } from './leb128.ts';

/** A function's parameters and results. */
export interface Signature {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** A function that another instance provides. */
export interface ImportedFunction {
  readonly name: string;
  readonly signature: Signature;
}

/** A function of the module; `exported` names it outside. */
export interface ModuleFunction {
  readonly signature: Signature;
  readonly body: FunctionBody;
  readonly exported?: string;
}

/** What a module needs from outside: memory `env.memory` and functions of `env`. */
export interface ModuleParts {
  readonly memory: { readonly shared: boolean; readonly maximum: number };
  readonly imports: readonly ImportedFunction[];
  readonly functions: readonly ModuleFunction[];
}

const TYPE_BYTE: Record<ValueType, number> = { i32: 0x7f, f32: 0x7d, v128: 0x7b };

function vector(items: readonly (readonly number[])[]): number[] {
  const out: number[] = [];
  unsigned(out, items.length);
  for (const item of items) for (const byte of item) out.push(byte);
  return out;
}

function section(to: number[], id: number, content: readonly number[]): void {
  to.push(id);
  unsigned(to, content.length);
  for (const byte of content) to.push(byte);
}

function text(value: string): number[] {
  return vector([...new TextEncoder().encode(value)].map((byte) => [byte]));
}

function withIndex(prefix: readonly number[], index: number): number[] {
  const out = [...prefix];
  unsigned(out, index);
  return out;
}

function signatureBytes(signature: Signature): number[] {
  const types = (list: readonly ValueType[]): number[] =>
    vector(list.map((type) => [TYPE_BYTE[type]]));
  return [0x60, ...types(signature.parameters), ...types(signature.results)];
}

function memoryImport(memory: ModuleParts['memory']): number[] {
  const out = [...text('env'), ...text('memory'), 0x02, memory.shared ? 0x03 : 0x01];
  unsigned(out, 1);
  unsigned(out, memory.maximum);
  return out;
}

function bodyBytes(body: FunctionBody): number[] {
  const groups: { type: ValueType; count: number }[] = [];
  for (const type of body.locals) {
    const last = groups.at(-1);
    if (last?.type === type) last.count++;
    else groups.push({ type, count: 1 });
  }
  const content = vector(
    groups.map(({ type, count }) => [...withIndex([], count), TYPE_BYTE[type]]),
  );
  for (const byte of body.bytes) content.push(byte);
  content.push(0x0b);
  const out: number[] = [];
  unsigned(out, content.length);
  for (const byte of content) out.push(byte);
  return out;
}

/** The module's bytes. Function indices count the imports first. */
export function encodeModule(parts: ModuleParts): Uint8Array<ArrayBuffer> {
  const { imports, functions } = parts;
  const signatures = [...imports, ...functions].map(({ signature }) => signatureBytes(signature));
  const distinct = [...new Map(signatures.map((bytes) => [bytes.join(), bytes])).values()];
  const typeOf = (bytes: readonly number[]): number =>
    distinct.findIndex((other) => other.join() === bytes.join());
  const out = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
  section(out, 1, vector(distinct));
  section(
    out,
    2,
    vector([
      memoryImport(parts.memory),
      ...imports.map(({ name }, i) =>
        withIndex([...text('env'), ...text(name), 0x00], typeOf(signatures[i]!)),
      ),
    ]),
  );
  section(
    out,
    3,
    vector(functions.map((_, i) => withIndex([], typeOf(signatures[imports.length + i]!)))),
  );
  const exported = functions.flatMap(({ exported: name }, i) =>
    name === undefined ? [] : [withIndex([...text(name), 0x00], imports.length + i)],
  );
  section(out, 7, vector(exported));
  section(out, 10, vector(functions.map(({ body }) => bodyBytes(body))));
  return Uint8Array.from(out);
}
