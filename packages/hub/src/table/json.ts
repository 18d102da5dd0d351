/**
 * @file JSON Lines (one object a line) and JSON arrays of objects. Numbers stay numbers, `true` and `false`
 * become text, null means that the row leaves the column out, and nested values become their JSON text.
 */
import { InputError } from '@camada/tensor';
import { describe, isRecord, parseJson } from '../bytes/text.ts';
import type { Cell, Table } from './table.ts';

interface Item {
  readonly value: unknown;
  readonly line: number;
}

/** Parses JSON Lines; blank lines are skipped. Throws `InputError` with the line of the problem. */
export function parseJsonLines(text: string, name: string): Table {
  const items: Item[] = [];
  for (const [i, line] of text.split(/\r\n?|\n/).entries()) {
    if (line.trim() === '') continue;
    items.push({ value: parseJson(line, `${name}, line ${i + 1},`), line: i + 1 });
  }
  return makeTable(items, name, (item) => `${name}, line ${item.line}`);
}

/** Parses a JSON array of objects. Throws `InputError` with the number of the item at fault. */
export function parseJsonArray(text: string, name: string): Table {
  const value = text.trim() === '' ? [] : parseJson(text, name);
  if (!Array.isArray(value)) {
    throw new InputError(
      `${name} holds ${describe(value)}; an array of objects, [{…}, …], is needed.`,
    );
  }
  const items = value.map((item: unknown, i) => ({ value: item, line: i + 1 }));
  return makeTable(items, name, (item) => `${name}, item ${item.line}`);
}

function makeTable(items: readonly Item[], name: string, place: (item: Item) => string): Table {
  if (items.length === 0) {
    throw new InputError(`${name} is empty; give a file with at least one row.`);
  }
  const rows = items.map((item) => readRow(item, place(item)));
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return { name, columns, rows, lines: items.map((item) => item.line) };
}

function readRow({ value }: Item, place: string): Readonly<Record<string, Cell>> {
  if (!isRecord(value)) {
    throw new InputError(
      `${place}: ${describe(value)} is not an object; each row is {"column": value, …}.`,
    );
  }
  const cells = Object.entries(value).filter((pair) => pair[1] !== null);
  return Object.fromEntries(cells.map(([key, cell]) => [key, readCell(cell)]));
}

function readCell(value: unknown): Cell {
  if (typeof value === 'string' || typeof value === 'number') return value;
  return JSON.stringify(value);
}
