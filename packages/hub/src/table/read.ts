/** @file Reading a table from a file; the ending of its name says how. */
import { InputError } from '@camada/tensor';
import { openSource } from '../bytes/folder.ts';
import type { ByteSource } from '../bytes/source.ts';
import { readText } from '../bytes/text.ts';
import { parseCsv, parseTsv } from './delimited.ts';
import { parseJsonArray, parseJsonLines } from './json.ts';
import type { Table } from './table.ts';

/** Kinds of file that hold tables; `text` is one document, in the column `text`. */
export type TableFormat = 'csv' | 'tsv' | 'jsonl' | 'json' | 'text';

/** How a table is read. */
export interface TableOptions {
  /** Whether the first row of CSV and TSV names the columns; true unless told. */
  readonly header?: boolean;
  /** The kind of file, where the ending of its name does not say it. */
  readonly format?: TableFormat;
}

const ENDINGS: Readonly<Record<string, TableFormat>> = {
  csv: 'csv',
  tsv: 'tsv',
  tab: 'tsv',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  json: 'json',
  txt: 'text',
  md: 'text',
};

/**
 * Reads a table from a path (Node) or a source. Text is UTF-8, with or without byte-order mark. Throws
 * `InputError` with the line on an empty file, ragged rows, open quotes, bad JSON or another encoding.
 */
export async function readTable(
  file: string | ByteSource,
  options: TableOptions = {},
): Promise<Table> {
  const source = await openSource(file);
  const format = options.format ?? formatOf(source.name);
  return parseTable(await readText(source), format, source.name, options.header ?? true);
}

function formatOf(name: string): TableFormat {
  const ending = /\.([^./\\]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';
  const format = Object.hasOwn(ENDINGS, ending) ? ENDINGS[ending] : undefined;
  if (format) return format;
  throw new InputError(
    `${name}: the ending does not say how to read it; use .csv, .tsv, .jsonl, .json or .txt, or give the format.`,
  );
}

/** Parses text of a given format; `name` is what errors call it. Throws `InputError` as `readTable` does. */
export function parseTable(text: string, format: TableFormat, name: string, header = true): Table {
  if (format === 'csv') return parseCsv(text, name, header);
  if (format === 'tsv') return parseTsv(text, name, header);
  if (format === 'jsonl') return parseJsonLines(text, name);
  if (format === 'json') return parseJsonArray(text, name);
  if (text.trim() === '') throw new InputError(`${name} is empty; give a file with some text.`);
  return { name, columns: ['text'], rows: [{ text }], lines: [1] };
}
