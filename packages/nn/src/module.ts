/**
 * @file Module trees. A module is a plain class with fields and a `call` method; there is no base class
 * and no registration. Field names are checkpoint names: the tensor in `encoder.layer[0].dense.weight` is
 * the parameter `encoder.layer.0.dense.weight`. Fields that are functions, plain records or whose name
 * starts with `_`, and `#private` fields, are not part of the tree.
 */
import {
  InputError,
  ShapeError,
  Tensor,
  invalidateCaptures,
  sameShape,
  showShape,
  type Shape,
} from '@camada/tensor';

/** Anything with a `call` method: a layer, a block or a model. */
export interface Module {
  call(...inputs: never[]): unknown;
}

/** What loading did with each parameter name. */
export interface LoadedNames {
  /** Parameters whose value was read. */
  readonly loaded: readonly string[];
  /** Parameters that the source does not have; they keep their value. */
  readonly missing: readonly string[];
}

type Fields = Record<string, unknown>;

/** True for an object with a `call` method. */
export function isModule(value: unknown): value is Module {
  if (typeof value !== 'object' || value === null || value instanceof Tensor) return false;
  return typeof (value as Fields)['call'] === 'function';
}

/** Tensors, modules and arrays on an object, with their names, in order of declaration. */
function* children(owner: object): Generator<[name: string, child: object]> {
  for (const [name, value] of Object.entries(owner)) {
    if (name.startsWith('_') || typeof value !== 'object' || value === null) continue;
    if (value instanceof Tensor || isModule(value) || Array.isArray(value)) yield [name, value];
  }
}

function* walk(owner: object, prefix: string): Generator<[path: string, child: object]> {
  for (const [name, child] of children(owner)) {
    const path = prefix + name;
    yield [path, child];
    if (!(child instanceof Tensor)) yield* walk(child, `${path}.`);
  }
}

/**
 * Parameters of a module by checkpoint name, in order of declaration. A tensor that occurs twice (tied
 * weights) is listed once, under its first name.
 */
export function namedParameters(module: Module): Map<string, Tensor> {
  const seen = new Set<Tensor>();
  const result = new Map<string, Tensor>();
  for (const [path, child] of walk(module, '')) {
    if (!(child instanceof Tensor) || seen.has(child)) continue;
    seen.add(child);
    result.set(path, child);
  }
  return result;
}

/** Modules inside a module by path, outer before inner; the module itself is not listed. */
export function namedModules(module: Module): Map<string, Module> {
  const result = new Map<string, Module>();
  for (const [path, child] of walk(module, '')) if (isModule(child)) result.set(path, child);
  return result;
}

/** The number of elements in all parameters of a module; tied weights count once. */
export function countParameters(module: Module): number {
  let total = 0;
  for (const parameter of namedParameters(module).values()) total += parameter.size;
  return total;
}

/** The module at a path such as `encoder.layer.0.attention.self.query`. Throws InputError when there is none. */
export function getModule(root: Module, path: string): Module {
  const found = lookUp(root, path);
  if (!isModule(found)) throw noSuch(root, path, 'module');
  return found;
}

/**
 * Replaces the module at a path, for example a Linear by a wrapper that holds it. Throws InputError when
 * the path names no module.
 */
export function setModule(root: Module, path: string, module: Module): void {
  getModule(root, path);
  setField(root, path, module);
}

/** The parameter at a path. Throws InputError when there is none. */
export function getParameter(root: Module, path: string): Tensor {
  const found = lookUp(root, path);
  if (!(found instanceof Tensor)) throw noSuch(root, path, 'parameter');
  return found;
}

/**
 * Puts another tensor in the place of the parameter at a path. Throws InputError when the path names no
 * parameter and ShapeError when the shapes differ.
 */
export function setParameter(root: Module, path: string, value: Tensor): void {
  const { shape } = getParameter(root, path);
  if (!sameShape(shape, value.shape))
    throw new ShapeError(
      `parameter '${path}' has shape ${showShape(shape)}, the value given has ${showShape(value.shape)}`,
    );
  setField(root, path, value);
}

/**
 * Reads every parameter of a module that `read` has a tensor for. Throws ShapeError when a shape differs;
 * nothing is replaced in that case.
 */
export function loadParameters(
  module: Module,
  read: (name: string) => Tensor | undefined,
): LoadedNames {
  const values = new Map<string, Tensor>();
  const missing: string[] = [];
  for (const [name, parameter] of namedParameters(module)) {
    const value = read(name);
    if (!value) missing.push(name);
    else {
      checkFits(name, value.shape, parameter.shape);
      values.set(name, value);
    }
  }
  for (const [name, value] of values) setField(module, name, value);
  return { loaded: [...values.keys()], missing };
}

/** Throws ShapeError unless the array of a file has the shape of the parameter that it is for. */
export function checkFits(name: string, given: Shape, needed: Shape): void {
  if (sameShape(given, needed)) return;
  throw new ShapeError(
    `parameter '${name}' is ${showShape(given)} in the file, the model needs ` +
      `${showShape(needed)}: do the configuration and the weights belong together?`,
  );
}

function lookUp(root: Module, path: string): unknown {
  let current: unknown = root;
  for (const name of path.split('.')) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, name))
      return undefined;
    current = (current as Fields)[name];
  }
  return current;
}

function setField(root: Module, path: string, value: object): void {
  const names = path.split('.');
  const last = names.pop()!;
  const owner = names.length === 0 ? root : lookUp(root, names.join('.'));
  (owner as Fields)[last] = value;
  invalidateCaptures();
}

function noSuch(root: Module, path: string, kind: 'module' | 'parameter'): InputError {
  const names = [...(kind === 'module' ? namedModules(root) : namedParameters(root)).keys()];
  const last = path.split('.').at(-1)!;
  const alike = names.filter((name) => name.endsWith(last));
  const shown = (alike.length > 0 ? alike : names).slice(0, 5).map((name) => `'${name}'`);
  return new InputError(`the model has no ${kind} '${path}'; it has ${shown.join(', ')}, …`);
}
