/** @file From labels as they stand in a file to the numbers that a head is trained on. */
import { InputError } from '@camada/tensor';
import { LabelMap, isNumber, sortedLabels } from '../model/labels.ts';
import type { FinetuneTask } from '../model/task.ts';
import type { Example, Examples } from './source.ts';

/** More classes than this, with few examples each, are most likely a wrong column. */
const MANY_CLASSES = 1000;

/**
 * The task that the labels suggest: regression where all are numbers and some are not whole, classification
 * otherwise; causal language modelling without labels.
 */
export function taskOfLabels({ rows }: Examples): FinetuneTask {
  const labels = rows.map((row) => row.label).filter((label) => label !== undefined);
  if (labels.length === 0) return 'causal-lm';
  const real = labels.every(isNumber) && labels.some((label) => !Number.isInteger(Number(label)));
  return real ? 'regression' : 'classification';
}

/**
 * The classes of the training data. A model whose own classes cover them keeps its classes and their order.
 * Throws InputError when there are fewer than two classes, or too many to be classes.
 */
export function labelsOf(examples: Examples, own: readonly string[] | undefined): LabelMap {
  const found = sortedLabels(examples.rows.map((row) => labelOf(row, examples)));
  if (found.length > MANY_CLASSES)
    throw new InputError(
      `${examples.name}: the label column holds ${found.length} different values, too many for classes; ` +
        'check the column, or use the task regression.',
    );
  if (own && own.length === found.length && own.length >= 2) {
    const map = new LabelMap(own);
    if (found.every((label) => map.numberOf(label) !== undefined)) return map;
  }
  return new LabelMap(found, examples.name);
}

/** Class numbers of all rows. Throws InputError naming the row whose label is not among the classes. */
export function classNumbers(examples: Examples, labels: LabelMap): number[] {
  return examples.rows.map((row) => {
    const label = labelOf(row, examples);
    const number = labels.numberOf(label);
    if (number !== undefined) return number;
    const known = labels.names.slice(0, 8).join(', ') + (labels.names.length > 8 ? ', …' : '');
    throw new InputError(
      `${examples.name}, line ${row.line}: the label "${label}" does not occur in training (there: ${known}); ` +
        'correct it, remove the row, or add training examples of it.',
    );
  });
}

/** Values of all rows. Throws InputError naming the row whose label is no finite number. */
export function values(examples: Examples): number[] {
  return examples.rows.map((row) => {
    const label = labelOf(row, examples);
    if (isNumber(label)) return Number(label);
    throw new InputError(
      `${examples.name}, line ${row.line}: the label "${label}" is not a number; correct it, or use the task ` +
        'classification.',
    );
  });
}

function labelOf({ label, line }: Example, { name }: Examples): string {
  if (label !== undefined) return label;
  throw new InputError(`${name}, line ${line}: there is no label; name the label column.`);
}
