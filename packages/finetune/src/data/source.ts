/** @file Where examples come from: a file and the columns in it. */
import { readTable, column, type ByteSource, type Cell, type Table } from '@camada/hub';
import { InputError } from '@camada/tensor';

/** A table, or a file (a path in Node, or a source) that holds one. */
export type DataSource = string | ByteSource | Table;

/** Which columns mean what; a name, or a number from 0. */
export interface Columns {
  /** The text. */
  readonly text?: string | number;
  /** The second text of a pair. */
  readonly textPair?: string | number;
  /** The class or the value. */
  readonly label?: string | number;
}

/** How a file is read. */
export interface ReadOptions extends Columns {
  /** Whether the first row of CSV and TSV names the columns; true unless told. */
  readonly header?: boolean;
}

/** One row. */
export interface Example {
  readonly text: string;
  readonly pair?: string;
  /** As it stands in the file. */
  readonly label?: string;
  /** Line of the file on which it begins. */
  readonly line: number;
}

/** The rows of one file. */
export interface Examples {
  /** What errors call it. */
  readonly name: string;
  readonly rows: readonly Example[];
}

/**
 * Reads the examples of a source. Throws InputError when the file is empty or damaged, a column is missing, a text
 * or a label is empty.
 */
export async function readExamples(source: DataSource, options: ReadOptions): Promise<Examples> {
  const table = isTable(source) ? source : await readTable(source, tableOptions(options));
  const texts = columnOf(table, options.text ?? 'text', 'text');
  const pairs =
    options.textPair === undefined ? [] : columnOf(table, options.textPair, 'second text');
  const labels = options.label === undefined ? [] : columnOf(table, options.label, 'label');
  const rows = texts.map((text, i) => ({
    text: String(text),
    ...(pairs.length > 0 && { pair: String(pairs[i]) }),
    ...(labels.length > 0 && { label: labelText(labels[i]!, table, i) }),
    line: table.lines[i] ?? i + 1,
  }));
  return { name: table.name, rows };
}

function tableOptions({ header }: ReadOptions): { readonly header?: boolean } {
  return header === undefined ? {} : { header };
}

function isTable(source: DataSource): source is Table {
  return typeof source === 'object' && 'rows' in source;
}

/** A column by name, else (where no name fits) by a number written as text. */
function columnOf(table: Table, wanted: string | number, role: string): Cell[] {
  const byNumber =
    typeof wanted === 'string' && /^\d+$/.test(wanted) && !table.columns.includes(wanted);
  try {
    return column(table, byNumber ? Number(wanted) : wanted);
  } catch (error) {
    throw error instanceof InputError
      ? new InputError(`The column of the ${role}: ${error.message}`, { cause: error })
      : error;
  }
}

function labelText(label: Cell, table: Table, row: number): string {
  const text = String(label).trim();
  if (text !== '') return text;
  throw new InputError(
    `${table.name}, line ${table.lines[row]}: the label is empty; fill it in or remove the row.`,
  );
}
