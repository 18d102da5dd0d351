/**
 * @file The names of classes and their numbers. Names are ordered the same way for every file: by value where
 * all are numbers, by code unit otherwise; a model that has names of its own keeps its order.
 */
import { InputError } from '@camada/tensor';

/** Class names by number, and back. */
export class LabelMap {
  /** Names in the order of the model's outputs. */
  readonly names: readonly string[];
  readonly #numbers: ReadonlyMap<string, number>;

  /** Throws InputError on fewer than two names, or on a name that occurs twice. */
  constructor(names: readonly string[], source = 'the labels') {
    if (names.length < 2)
      throw new InputError(
        `${source}: all rows have the label "${names[0] ?? ''}"; classification needs at least two labels.`,
      );
    this.names = [...names];
    this.#numbers = new Map(names.map((name, i) => [name, i]));
    if (this.#numbers.size !== names.length)
      throw new InputError(`${source}: two labels have the same name; rename one.`);
  }

  /** The number of a label, or undefined. */
  numberOf(label: string): number | undefined {
    return this.#numbers.get(label) ?? this.#byIndex(label);
  }

  /** `1` stands for the second class where the model names its classes otherwise, as GLUE files do. */
  #byIndex(label: string): number | undefined {
    if (this.names.some(isNumber) || !/^\d+$/.test(label)) return undefined;
    return Number(label) < this.names.length ? Number(label) : undefined;
  }
}

/** The distinct labels in their order: by value where all are numbers, else by code unit. */
export function sortedLabels(labels: Iterable<string>): string[] {
  const distinct = [...new Set(labels)];
  if (distinct.every(isNumber)) return distinct.sort((a, b) => Number(a) - Number(b));
  return distinct.sort((a, b) => Number(a > b) - Number(a < b));
}

/** True for text that is one finite number. */
export function isNumber(text: string): boolean {
  return text.trim() !== '' && Number.isFinite(Number(text));
}

/** Class names of a configuration's `id2label`, in the order of the outputs; undefined where it has none. */
export function configLabels(id2label: unknown): string[] | undefined {
  if (typeof id2label !== 'object' || id2label === null) return undefined;
  const pairs = Object.entries(id2label).map(([id, name]) => [Number(id), String(name)] as const);
  const names = pairs.sort(([a], [b]) => a - b).map(([, name]) => name);
  return names.length > 0 ? names : undefined;
}
