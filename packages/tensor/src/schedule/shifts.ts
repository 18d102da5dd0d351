/**
 * @file How often one kernel would compute a node. Slices and pads shift an index: a value that is used
 * as it is and shifted is computed twice, and a chain of k such uses doubles that k times.
 */
import { nodeSize, type Node } from '../graph/node.ts';

/** Counting stops here. */
const ENOUGH = 64;

/** A way from the points of a kernel to a node: the shifts on it, and how many points take it. */
interface Chain {
  readonly number: number;
  readonly points: number;
  /** Windows that overlap take an element each. Repetition alone is not counted: loops keep what does not change. */
  readonly windows: boolean;
}

/** How kernels would compute a node that has no memory. */
export interface Uses {
  /** How often one of its elements is computed. */
  readonly times: number;
  /** At how many places of a kernel's text. */
  readonly places: number;
}

/** The chains of shifts by which kernels reach each node. */
export class Shifts {
  private readonly consumers: ReadonlyMap<Node, ReadonlySet<Node>>;
  private readonly memory: ReadonlySet<Node>;
  private readonly chains = new Map<Node, readonly Chain[]>();
  private readonly numbers = new Map<string, number>();
  private readonly identities = new Map<Node, number>();

  constructor(consumers: ReadonlyMap<Node, ReadonlySet<Node>>, memory: ReadonlySet<Node>) {
    this.consumers = consumers;
    this.memory = memory;
  }

  /** How a node would be computed. Its consumers must have been asked before. */
  of(node: Node): Uses {
    const chains = new Map<number, Chain>();
    for (const user of this.consumers.get(node)!)
      for (const chain of this.above(user)) {
        const own = this.through(chain, user, node);
        if (chains.size < ENOUGH) chains.set(own.number, own);
      }
    const list = [...chains.values()];
    this.chains.set(node, list);
    const size = nodeSize(node);
    const times = list.reduce(
      (sum, { points, windows }) => sum + (windows ? points / size : Math.min(1, points / size)),
      0,
    );
    return { times, places: list.length };
  }

  private above(user: Node): readonly Chain[] {
    if (this.memory.has(user)) return [{ number: 0, points: nodeSize(user), windows: false }];
    return this.chains.get(user) ?? [];
  }

  /** The chain from `user` on to its input `node`. A row is read once, however often its sum is used. */
  private through(chain: Chain, user: Node, node: Node): Chain {
    const { number, points } = chain;
    switch (user.op) {
      case 'reduce':
        return { ...chain, points: nodeSize(node) };
      case 'pad': {
        const inside = (points * nodeSize(node)) / nodeSize(user);
        return { ...chain, number: this.longer(number, user), points: inside };
      }
      case 'slice':
        return { ...chain, number: this.longer(number, user) };
      case 'shear':
        return { number: this.longer(number, user), points, windows: true };
      default:
        return chain;
    }
  }

  /** The number of the chain that goes on with a shift; equal chains have equal numbers. */
  private longer(number: number, shift: Node): number {
    const identity = this.identities.get(shift) ?? this.identities.size;
    this.identities.set(shift, identity);
    const key = `${number},${identity}`;
    const longer = this.numbers.get(key) ?? this.numbers.size + 1;
    this.numbers.set(key, longer);
    return longer;
  }
}
