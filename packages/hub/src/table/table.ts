/** @file Tables: rows of named text and number values, and access to their columns. */
import { InputError } from '@camada/tensor';

/** A cell: text, or a number where the file's format has numbers (JSON). */
export type Cell = string | number;

/** A table read from a file. */
export interface Table {
  /** What errors call it. */
  readonly name: string;
  /** Column names in the file's order; `0`, `1`, … for a file without header. */
  readonly columns: readonly string[];
  /** Rows; a column that a JSON row leaves out is undefined in it. */
  readonly rows: readonly Readonly<Record<string, Cell>>[];
  /** Line of the file on which each row begins, from 1. */
  readonly lines: readonly number[];
}

/**
 * The values of a column, by its name or by its number from 0. Throws `InputError` listing the columns when
 * there is none, and naming the line when a row leaves the column out.
 */
export function column(table: Table, nameOrIndex: string | number): Cell[] {
  const name = columnName(table, nameOrIndex);
  return table.rows.map((row, i) => {
    const value = row[name];
    if (value !== undefined) return value;
    throw new InputError(
      `${table.name}, line ${table.lines[i]}: the row has no "${name}"; add it or remove the row.`,
    );
  });
}

/** The values of a column as text. Throws `InputError` as `column` does. */
export function textColumn(table: Table, nameOrIndex: string | number): string[] {
  return column(table, nameOrIndex).map(String);
}

/** The values of a column as finite numbers. Throws `InputError` with the line of the first that is not one. */
export function numberColumn(table: Table, nameOrIndex: string | number): number[] {
  return column(table, nameOrIndex).map((value, i) => {
    const number = typeof value === 'string' && value.trim() === '' ? NaN : Number(value);
    if (Number.isFinite(number)) return number;
    throw new InputError(
      `${table.name}, line ${table.lines[i]}: "${value}" in column "${nameOrIndex}" is not a number; ` +
        'correct it, or use a task whose labels are names.',
    );
  });
}

function columnName(table: Table, nameOrIndex: string | number): string {
  if (typeof nameOrIndex === 'string' && table.columns.includes(nameOrIndex)) return nameOrIndex;
  const byNumber = typeof nameOrIndex === 'number' ? table.columns[nameOrIndex] : undefined;
  if (byNumber !== undefined) return byNumber;
  throw new InputError(
    `${table.name} has no column "${nameOrIndex}"; its columns are ${listColumns(table)}` +
      `${/^\d+$/.test(String(nameOrIndex)) ? ' (a file without header is read with header: false)' : ''}.`,
  );
}

function listColumns(table: Table): string {
  return table.columns.map((name) => `"${name}"`).join(', ');
}
