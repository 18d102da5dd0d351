/** @file The last layer of a classifier or regression head under the names that the families have for it. */
import type { HeadModel } from '@camada/nn';

/** Paths of the layer that ends in the logits. */
const OUTPUTS: readonly string[] = ['classifier', 'classifier.out_proj', 'score'];

/** Name of the output weight [N, C] among a checkpoint's, an adapter's or a model's; undefined without a head. */
export function outputWeight(has: (name: string) => boolean): string | undefined {
  return OUTPUTS.map((path) => `${path}.weight`).find(has);
}

/** Name of the bias that goes with an output weight. */
export function biasOf(weight: string): string {
  return weight.replace(/weight$/, 'bias');
}

/** Whether a parameter belongs to the module that holds the output layer. */
export function isOutput(name: string): boolean {
  return OUTPUTS.some((path) => name.startsWith(`${path}.`));
}

/**
 * Modules of a model's head by name: those that hold the output layer, and the others, such as a pooler. PEFT
 * counts every module whose name ends in `classifier` among the former (DistilBERT's `pre_classifier`).
 */
export function headModules({ headPrefixes }: HeadModel): {
  readonly outputs: readonly string[];
  readonly others: readonly string[];
} {
  const modules = headPrefixes.map((prefix) => prefix.replace(/\.$/, '').split('.').at(-1)!);
  const outputs = modules.filter((module) => OUTPUTS.some((path) => module.endsWith(path)));
  return { outputs, others: modules.filter((module) => !outputs.includes(module)) };
}
