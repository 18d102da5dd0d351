/** @file Cases of the catalogue on the current device, for laws about devices rather than about operations. */
import { CATALOGUE, Draw, elementType, reproduction } from '@camada/tensor/catalogue';
import type { ElementType, HostArray, OpRecord } from '@camada/tensor/catalogue';
import { tensor } from '@camada/tensor';
import { difference } from '../laws/compare.ts';

/** One operation in one element type. */
export interface Row {
  readonly name: string;
  readonly dtype: ElementType;
  readonly record: OpRecord;
}

/** Every operation in each of its types. */
export const ROWS: readonly Row[] = [...CATALOGUE].flatMap(([name, record]) =>
  record.dtypes.map((dtype) => ({ name, dtype, record })),
);

/** Runs a random case of at most `largest` elements an operand. Throws with a reproduction where it is wrong. */
export async function runCase(
  { record, dtype }: Row,
  seed: number,
  largest: number,
): Promise<void> {
  const drawn = record.sample(Draw.seeded(seed, largest), dtype);
  const inputs = drawn.inputs.map(({ data, shape, dtype: type }) => tensor(data, shape, type));
  const outputs = [drawn.run(inputs)].flat();
  const expected = [drawn.reference(drawn.inputs)].flat() as HostArray[];
  for (const [i, output] of outputs.entries()) {
    const type = elementType(output.dtype);
    const got = { shape: output.shape, dtype: type, data: await output.data() };
    const want = { ...expected[i]!, data: Float64Array.from(expected[i]!.data) };
    const wrong = difference(want, got, dtype === 'f32' ? record.tolerance : 0);
    if (wrong) throw new Error(`${wrong}\n${reproduction(drawn)}`);
  }
}
