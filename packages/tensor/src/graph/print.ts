/** @file A graph as text, a node a line: `%3 = mul(%0, %2) f32 [4, 5]`. */
import { showShape } from '../shape.ts';
import type { Graph } from './graph.ts';
import type { Node, Range } from './node.ts';

/** The nodes of a graph in order, then its outputs. */
export function printGraph(graph: Graph): string {
  const ids = new Map(graph.nodes.map((node, i) => [node, i]));
  const lines = graph.nodes.map((node, i) => `%${i} = ${describe(node, ids, graph)}`);
  const outputs = graph.outputs.map(({ node, replaces }) => {
    const update = replaces === undefined ? '' : ` → input ${replaces}`;
    return `%${ids.get(node)}${update}`;
  });
  return [...lines, `outputs: ${outputs.join(', ')}`].join('\n');
}

function describe(node: Node, ids: ReadonlyMap<Node, number>, graph: Graph): string {
  const inputs = node.inputs.map((x) => `%${ids.get(x)}`).join(', ');
  return `${nameOf(node, graph)}(${inputs}) ${node.dtype} ${showShape(node.shape)}`;
}

function nameOf(node: Node, graph: Graph): string {
  switch (node.op) {
    case 'buffer':
      return `input ${graph.inputs.indexOf(node.attrs.storage)}`;
    case 'constant':
      return `constant ${node.attrs.value}`;
    case 'scalar':
      return `scalar slot ${graph.scalars.indexOf(node)}`;
    case 'elementwise':
      return node.attrs.name;
    case 'reduce':
      return `reduce ${node.attrs.name} axes ${showShape(node.attrs.axes)}`;
    case 'permute':
      return `permute ${showShape(node.attrs.order)}`;
    case 'slice':
      return `slice [${node.attrs.ranges.map(showRange).join(', ')}]`;
    case 'pad': {
      const { before, after, interior, value } = node.attrs;
      return `pad ${[before, after, interior].map(showShape).join(' ')} of ${value}`;
    }
    case 'shear':
      return `shear axis ${node.attrs.axis} by ${node.attrs.by} along ${node.attrs.along}`;
    case 'scatter':
      return `scatter ${node.attrs.keep}`;
    default:
      return node.op;
  }
}

/** `start:end:step`, as a slice is written. */
function showRange({ start, length, step }: Range): string {
  return `${start}:${start + step * length}${step === 1 ? '' : `:${step}`}`;
}
