/** @file The tables of types in docs/numerics.md are what the library does. */
import { readFileSync } from 'node:fs';
import { DTypeError, tensor, where } from '@camada/tensor';
import type { DType, Tensor } from '@camada/tensor';
import { expect, test } from 'vitest';

const TEXT = readFileSync(new URL('../../../docs/numerics.md', import.meta.url), 'utf8');

/** Cells of the table under a heading, header row first. */
function tableAfter(heading: string): string[][] {
  const lines = TEXT.slice(TEXT.indexOf(heading)).split('\n');
  const start = lines.findIndex((line) => line.startsWith('|'));
  const rows = lines.slice(start);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows
    .slice(0, end)
    .filter((line) => !line.startsWith('| --'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    );
}

const of = (dtype: string): Tensor => tensor([1], [1], dtype as DType);

test('two tensors meet as the table says', () => {
  const [[, ...columns], ...rows] = tableAfter('## Types') as [string[], ...string[][]];
  expect(columns).toEqual(['bool', 'u32', 'i32', 'f16', 'bf16', 'f32']);
  expect(rows.map(([type]) => type)).toEqual(columns);
  for (const [type, ...cells] of rows)
    cells.forEach((cell, i) => {
      expect(of(type!).add(of(columns[i]!)).dtype, `${type} + ${columns[i]}`).toBe(cell);
      expect(where(tensor([1], [1], 'bool'), of(type!), of(columns[i]!)).dtype).toBe(
        type === 'bool' && columns[i] === 'bool' ? 'bool' : cell,
      );
    });
});

test('a tensor and a number meet as the table says', () => {
  const [[, ...columns], ...rows] = tableAfter('### Numbers') as [string[], ...string[][]];
  for (const [type, ...cells] of rows)
    cells.forEach((cell, i) => {
      const sum = (): Tensor => of(type!).add(Number(columns[i]!.replace('−', '-')));
      if (cell === 'DTypeError') expect(sum).toThrow(DTypeError);
      else expect(sum().dtype, `${type} + ${columns[i]}`).toBe(cell);
    });
});

test('families of ops have the types of the table', () => {
  const [[, ...columns], ...rows] = tableAfter('### Results') as [string[], ...string[][]];
  for (const [names, ...cells] of rows)
    for (const name of names!.split(', '))
      cells.forEach((cell, i) => {
        const x = of(columns[i]!);
        const method = x[name as 'add'] as (y?: Tensor) => Tensor;
        const result = (): Tensor => (method.length > 0 ? method.call(x, x) : method.call(x));
        if (cell === 'DTypeError') expect(result, `${name} of ${columns[i]}`).toThrow(DTypeError);
        else expect(result().dtype, `${name} of ${columns[i]}`).toBe(cell);
      });
});
