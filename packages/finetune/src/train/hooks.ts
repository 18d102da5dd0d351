/** @file What a fine-tuning method adds to the steps of training. All of it is optional. */
import type { ParameterRules } from '@camada/nn';
import type { Tensor } from '@camada/tensor';

/** A method's part in a step, in the order in which it is asked. */
export interface TrainingHooks {
  /** Decay and factor on the learning rate by parameter; biases and norms are not decayed where it says nothing. */
  readonly rules?: ParameterRules;
  /** Added to the loss, []. */
  penalty?(): Tensor;
  /**
   * Queues more updates, from the gradients that the optimizer was given, in the order of what trains, in the step of this
   * number, from 0.
   */
  observe?(gradients: readonly Tensor[], step: number): void;
  /**
   * Name of the graph that a step has; steps of one name queue the same. Without it, steps of a method that observes
   * are built anew each time.
   */
  phase?(step: number): string;
  /** Name of the group of a parameter; each group has an optimizer of its own. One group when left out. */
  group?(parameter: string): string;
  /** Whether a group trains in the step of this number; `phase` must tell steps with other groups apart. */
  trains?(group: string, step: number): boolean;
  /** Called when the step is enqueued; may read values. */
  afterStep?(step: number): Promise<void>;
  /** Tensors that a resumed run needs beside parameters and optimizer, by name. */
  readonly state?: ReadonlyMap<string, Tensor>;
}
