/**
 * @file CSV and TSV. CSV follows RFC 4180 (quotes, doubled quotes, line ends inside quotes). TSV has no
 * quoting at all: the GLUE files are written so, and hold unbalanced quotes. Line ends of every kind are
 * read as one, also inside quotes, as Python does.
 */
import { InputError } from '@camada/tensor';
import Papa from 'papaparse';
import type { Cell, Table } from './table.ts';

/** One record of the file and the line on which it begins. */
interface Line {
  readonly fields: readonly string[];
  readonly line: number;
}

/** Parses comma-separated text. Throws `InputError` with the line of the problem. */
export function parseCsv(text: string, name: string, header: boolean): Table {
  const source = unifyLineEnds(text);
  const { data, errors } = Papa.parse<string[]>(source, { delimiter: ',', newline: '\n' });
  const [error] = errors.filter(({ type }) => type === 'Quotes');
  if (error) {
    const line = source.slice(0, error.index ?? 0).split('\n').length;
    throw new InputError(
      `${name}, line ${line}: ${error.message}; close the quote or double it ("").`,
    );
  }
  return makeTable(withLines(data), name, header);
}

/** Parses tab-separated text; quotes are ordinary characters. Throws `InputError` with the line. */
export function parseTsv(text: string, name: string, header: boolean): Table {
  const lines = unifyLineEnds(text).split('\n');
  return makeTable(withLines(lines.map((line) => line.split('\t'))), name, header);
}

function unifyLineEnds(text: string): string {
  return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
}

/** Numbers the records, which span lines where a field does, and drops blank lines. */
function withLines(data: readonly (readonly string[])[]): Line[] {
  const records: Line[] = [];
  let line = 1;
  for (const fields of data) {
    if (fields.length > 1 || fields[0] !== '') records.push({ fields, line });
    line += 1 + fields.reduce((n, field) => n + countLineEnds(field), 0);
  }
  return records;
}

function countLineEnds(field: string): number {
  return field.includes('\n') ? field.split('\n').length - 1 : 0;
}

function makeTable(records: readonly Line[], name: string, header: boolean): Table {
  const [first] = records;
  if (!first) throw new InputError(`${name} is empty; give a file with at least one row.`);
  const columns = header ? checkHeader(first, name) : first.fields.map((_, i) => String(i));
  const rows = header ? records.slice(1) : records;
  if (rows.length === 0) {
    throw new InputError(
      `${name} has a header and no rows; add rows, or read it with header: false if line 1 is data.`,
    );
  }
  return {
    name,
    columns,
    rows: rows.map((row) => makeRow(row, columns, name)),
    lines: rows.map((row) => row.line),
  };
}

function checkHeader({ fields, line }: Line, name: string): readonly string[] {
  const twice = fields.find((field, i) => fields.indexOf(field) < i);
  if (twice === undefined) return fields;
  throw new InputError(
    `${name}, line ${line}: the header names "${twice}" twice; rename one, or read it with header: false.`,
  );
}

function makeRow(
  { fields, line }: Line,
  columns: readonly string[],
  name: string,
): Readonly<Record<string, Cell>> {
  if (fields.length === columns.length) {
    return Object.fromEntries(fields.map((field, i) => [columns[i] ?? '', field]));
  }
  throw new InputError(
    `${name}, line ${line}: the row has ${fields.length} fields, but there are ${columns.length} columns; ` +
      'correct the row (fields with separators need quotes in CSV and are impossible in TSV).',
  );
}
