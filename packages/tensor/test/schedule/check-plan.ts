/** @file A plan, run kernel by kernel in f64, against the graph interpreter. */
import { evaluate } from '../../src/backend/reference/interpreter.ts';
import type { Graph } from '../../src/graph/graph.ts';
import type { Node } from '../../src/graph/node.ts';
import { trace, type Wanted } from '../../src/graph/trace.ts';
import type { Plan } from '../../src/schedule/plan.ts';
import { schedule } from '../../src/schedule/schedule.ts';
import { interpret as interpretKernel } from '../kernel-interpreter.ts';

function interpret(
  graph: Graph,
  data: readonly Float64Array[],
  scalars: readonly number[],
): Map<Node, Float64Array> {
  const values = new Map<Node, Float64Array>();
  const scope = {
    leaf: (node: Extract<Node, { op: 'buffer' }>) =>
      data[graph.inputs.indexOf(node.attrs.storage)]!,
    number: (node: Node) => scalars[graph.scalars.indexOf(node)]!,
  };
  for (const node of graph.nodes)
    values.set(
      node,
      evaluate(
        node,
        node.inputs.map((x) => values.get(x)!),
        scope,
      ),
    );
  return values;
}

/** The plan of what is wanted, and the largest error of any output relative to 1 + |expected|. */
export function checkPlan(
  wanted: readonly Wanted[],
  maxBuffersPerKernel: number,
): { plan: Plan; worst: number } {
  const traced = trace(wanted);
  const graph = traced.graph();
  const plan = schedule(graph, { maxBuffersPerKernel });
  const data = traced.inputs.map((s) => Float64Array.from(s.host!));
  const scalars = traced.scalars.map((n) => (n as Extract<Node, { op: 'scalar' }>).attrs.value);
  const memory = plan.buffers.map((b) =>
    b.role === 'input' ? data[b.index]!.slice() : new Float64Array(b.size).fill(NaN),
  );
  for (const kernel of plan.kernels) {
    const bound = kernel.buffers.map(({ id }) => memory[id]!);
    interpretKernel(kernel, bound, (slot) => scalars[slot]!);
  }
  const expected = interpret(graph, data, scalars);
  let worst = 0;
  graph.outputs.forEach(({ node }, i) => {
    const got = memory[plan.outputs[i]!]!;
    expected.get(node)!.forEach((x, j) => {
      const difference = Math.abs(got[j]! - x) / (1 + Math.abs(x));
      if (!Number.isNaN(x))
        worst = Math.max(worst, Number.isNaN(difference) ? Infinity : difference);
    });
  });
  return { plan, worst };
}
