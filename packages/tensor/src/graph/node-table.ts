/**
 * @file Numbers by node. Nodes of one step are made one after the other, so their serials index an array; only
 * the few older ones (weights) are looked up in a map.
 */
import { nextSerial, type Node } from './node.ts';

/** Newest nodes that get a place in the array. */
const WINDOW = 1 << 15;

/** A number of at least 0 for each of some nodes; quick for those made shortly before the table. */
export class NodeTable {
  private readonly base = Math.max(0, nextSerial() - WINDOW);
  /** Numbers plus 1; 0 where there is none. */
  private readonly recent = new Int32Array(nextSerial() - this.base);
  private readonly others = new Map<number, number>();

  /** The node's number; −1 if it has none. */
  get({ serial }: Node): number {
    const recent = this.recent[serial - this.base];
    return recent === undefined ? (this.others.get(serial) ?? -1) : recent - 1;
  }

  /** Gives the node a number. */
  set({ serial }: Node, number: number): void {
    const place = serial - this.base;
    if (place >= 0 && place < this.recent.length) this.recent[place] = number + 1;
    else this.others.set(serial, number);
  }

  /** True when the node has a number. */
  has(node: Node): boolean {
    return this.get(node) >= 0;
  }
}
