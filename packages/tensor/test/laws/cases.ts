/** @file Cases of the catalogue on the current device, for laws about devices rather than about operations. */
import { CATALOGUE, elementType, reproduction } from '@camada/tensor/catalogue';
import type { Draw, ElementType, HostArray, OpRecord } from '@camada/tensor/catalogue';
import { tensor } from '@camada/tensor';
import { difference } from './compare.ts';

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

/** Runs a random case. Throws with a reproduction where the result is wrong. */
export async function runCase({ record, dtype }: Row, draw: Draw): Promise<void> {
  const drawn = record.sample(draw, dtype);
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
