/**
 * @file A Graph: what one run computes, in topological order, with its inputs, outputs and host numbers
 * numbered. It holds structure only; the data of a run travel beside it (see `trace.ts`).
 */
import type { Node, Storage } from './node.ts';

/** An output of a run. */
export interface GraphOutput {
  readonly node: Node;
  /**
   * Index in `inputs` of memory that this output replaces (a parameter update). The plan may write in
   * place when nothing reads the old value later.
   */
  readonly replaces: number | undefined;
}

/** What one run computes. */
export interface Graph {
  /** Every node needed, each after its inputs. */
  readonly nodes: readonly Node[];
  readonly outputs: readonly GraphOutput[];
  /** Stand-ins for the memory of the leaves, in order of first use. */
  readonly inputs: readonly Storage[];
  /** The scalar nodes, in order of first use: slot i of the scalar buffer. */
  readonly scalars: readonly Node[];
}
