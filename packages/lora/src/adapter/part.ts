/**
 * @file What a method adds: to one layer a `LayerPart`, to a whole model a `ModelPart`. Parts hold tensors by the end
 * of their key in PEFT's file and know nothing of names of adapters, of switching or of files.
 */
import type { Context, Module } from '@camada/nn';
import type { Tensor } from '@camada/tensor';
import type { BaseLayer, Weights } from './base.ts';

/** One adapter's share of one layer, beside the frozen base layer. */
export interface LayerPart {
  /** All that is stored, by the end of its key: `lora_A.weight` [R, in], `ia3_l` [out, 1], … */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Ends of those that do not train; none when left out. */
  readonly frozen?: ReadonlySet<string>;
  /** The layer's input as the base layer and `output` see it; x itself when left out. */
  input?(x: Tensor, base: BaseLayer, context: Context): Tensor;
  /** The layer's output from y, the output so far, and the input x; y itself when left out. */
  output?(y: Tensor, x: Tensor, base: BaseLayer, context: Context): Tensor;
  /** Weights that make the base layer alone compute the same, f32; left out by methods that cannot merge. */
  merge?(weights: Weights, base: BaseLayer): Weights;
}

/** A part whose effect is W + ΔW, which `add_weighted_adapter` and inspection can work with. */
export interface AdditivePart extends LayerPart {
  /** ΔW with its scale, [out, in]; of an embedding [V, C]. */
  delta(): Tensor;
}

/** Whether a part adds to the weight. */
export function isAdditive(part: LayerPart): part is AdditivePart {
  return 'delta' in part;
}

/** The factors of an update s·B·A: A [R, in], B [out, R]; of an embedding A [R, V], B [C, R]. */
export interface Factors {
  readonly A: Tensor;
  readonly B: Tensor;
  readonly scale: number;
}

/** A part whose ΔW is s·B·A, which mixing, combining and inspection work with. */
export interface LowRankPart extends AdditivePart {
  /** A, B and s as they are now. */
  factors(): Factors;
}

/** Whether a part's update has two factors. */
export function isLowRank(part: LayerPart): part is LowRankPart {
  return 'factors' in part;
}

/** One adapter's share of a whole model: prompts, prefixes, gates. */
export interface ModelPart {
  /** All that is stored, by its whole key in the file. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** What trains, by name; all of `tensors` when left out (a reparametrising network trains other tensors than it stores). */
  readonly trainable?: ReadonlyMap<string, Tensor>;
  /** Lets the model use it. Called once until `detach`. */
  attach(model: Module): void;
  /** Leaves the model as it was before `attach`. */
  detach(model: Module): void;
}
