/** @file Tasks of the training loop, and which of them a model can do. */
import { InputError } from '@camada/tensor';
import { supportedTasks } from '@camada/nn';

/** What a model is fine-tuned for. */
export type FinetuneTask = 'classification' | 'regression' | 'causal-lm';

/** All values of `FinetuneTask`. */
export const TASKS: readonly FinetuneTask[] = ['classification', 'regression', 'causal-lm'];

/**
 * The tasks that the architecture of a `config.json` has a head for. Throws InputError on an unknown
 * architecture, naming those that there are.
 */
export function tasksOf(config: unknown): readonly FinetuneTask[] {
  const supported: readonly string[] = supportedTasks(config);
  return TASKS.filter((task) => supported.includes(task));
}

/** Throws InputError unless the model has a head for the task. */
export function checkTask(task: string, allowed: readonly FinetuneTask[], model: string): void {
  if (allowed.some((other) => other === task)) return;
  const known = TASKS.some((other) => other === task);
  throw new InputError(
    known
      ? `${model} cannot do the task '${task}'; it can do ${allowed.join(', ')}: choose one of these or another model.`
      : `The task '${task}' is unknown; known are ${TASKS.join(', ')}.`,
  );
}
