/** @file Tables: quotes, line ends, headers, ragged rows, JSON, and the real data sets. */
import {
  column,
  memorySource,
  numberColumn,
  parseTable,
  readTable,
  textColumn,
  type Table,
  type TableFormat,
} from '@camada/hub';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectInputError, hasShared, join8, SHARED, utf8 } from './support.ts';

const read = (text: string, format: TableFormat, header = true): Table =>
  parseTable(text, format, `t.${format}`, header);

/** CSV as RFC 4180 writes it, quoting what must be quoted. */
function writeCsv(rows: readonly (readonly string[])[], lineEnd: string): string {
  const field = (text: string): string =>
    /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  return rows.map((row) => row.map(field).join(',') + lineEnd).join('');
}

const cell = fc.string({ unit: fc.constantFrom(...'ab",\n ;\t\'é🤗') });

describe('CSV', () => {
  test('round trip with quotes, separators and line ends inside fields', () => {
    const rows = fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(rows, fc.constantFrom('\n', '\r\n', '\r'), (cells, lineEnd) => {
        const table = read(writeCsv([['x', 'y', 'z'], ...cells], lineEnd), 'csv');
        expect(table.columns).toEqual(['x', 'y', 'z']);
        expect(table.rows).toEqual(cells.map(([x, y, z]) => ({ x, y, z })));
      }),
      { numRuns: 500 },
    );
  });

  test('lines are counted through fields that span them', async () => {
    const table = read('x,y\n"a\nb",1\n\nc,2\r\nd,3', 'csv');
    expect(table.lines).toEqual([2, 5, 6]);
    expect(column(table, 'x')).toEqual(['a\nb', 'c', 'd']);
    await expectInputError(
      () => read('x,y\n"a\nb",1\nc', 'csv'),
      /t\.csv, line 4: the row has 1 fields/,
    );
    await expectInputError(
      () => read('x,y\na,1,2', 'csv'),
      /line 2: the row has 3 fields, but there are 2/,
    );
  });

  test('an open quote is said with its line', async () => {
    await expectInputError(
      () => read('x,y\na,b\n"c,d\n', 'csv'),
      /line 3: Quoted field unterminated/,
    );
    await expectInputError(
      () => read('x,y\na,b\n"c"d,e\n', 'csv'),
      /t\.csv, line 3: Trailing quote/,
    );
  });

  test('byte-order mark, UTF-8, and other encodings', async () => {
    const bom = join8([Uint8Array.of(0xef, 0xbb, 0xbf), utf8('é\nção\n')]);
    expect((await readTable(memorySource(bom, 't.csv'))).rows).toEqual([{ é: 'ção' }]);
    const latin = join8([utf8('x\na\n'), Uint8Array.of(0xe9, 0x0a)]);
    await expectInputError(
      () => readTable(memorySource(latin, 't.csv')),
      /t\.csv: line 3 is not UTF-8/,
    );
    const wide = Uint8Array.of(0xff, 0xfe, 0x41, 0x00);
    await expectInputError(
      () => readTable(memorySource(wide, 't.csv')),
      /UTF-16; save the file as UTF-8/,
    );
  });

  test('hostile column names stay columns', () => {
    const table = read('__proto__,constructor\n1,2\n', 'csv');
    expect(column(table, '__proto__')).toEqual(['1']);
    expect(column(table, 'constructor')).toEqual(['2']);
  });
});

describe('TSV', () => {
  test('quotes are ordinary characters', () => {
    const table = read('a "b\t1\nc" d\t0\n', 'tsv', false);
    expect(table.columns).toEqual(['0', '1']);
    expect(column(table, 0)).toEqual(['a "b', 'c" d']);
    expect(column(table, '1')).toEqual(['1', '0']);
  });

  test('round trip of anything without separators', () => {
    const plain = fc.string({ unit: fc.constantFrom(...'ab",\'\\é🤗 ') });
    const rows = fc.array(fc.tuple(plain, plain), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(rows, (cells) => {
        const table = read(cells.map((row) => row.join('\t')).join('\r\n'), 'tsv', false);
        expect(table.rows).toEqual(cells.map(([a, b]) => ({ 0: a, 1: b })));
      }),
    );
  });
});

describe('JSON', () => {
  test('Lines: numbers stay, true is text, null is left out, nested is JSON', async () => {
    const text = '{"s":"a","n":1.5,"b":true,"o":{"k":[1]}}\n\n{"s":"b","n":2,"b":null,"o":[]}\n';
    const table = read(text, 'jsonl');
    expect(table.columns).toEqual(['s', 'n', 'b', 'o']);
    expect(table.rows).toEqual([
      { s: 'a', n: 1.5, b: 'true', o: '{"k":[1]}' },
      { s: 'b', n: 2, o: '[]' },
    ]);
    expect(numberColumn(table, 'n')).toEqual([1.5, 2]);
    await expectInputError(() => column(table, 'b'), /line 3: the row has no "b"/);
  });

  test('round trip of random records', () => {
    const record = fc.record({
      a: fc.string(),
      b: fc.double({ noNaN: true, noDefaultInfinity: true }),
    });
    fc.assert(
      fc.property(fc.array(record, { minLength: 1 }), (records) => {
        const plain: unknown = JSON.parse(JSON.stringify(records));
        expect(read(JSON.stringify(records), 'json').rows).toEqual(plain);
        expect(read(records.map((r) => JSON.stringify(r)).join('\n'), 'jsonl').rows).toEqual(plain);
      }),
    );
  });

  test('what is wrong is said with its line', async () => {
    await expectInputError(
      () => read('{"a":1}\n{"a":\n', 'jsonl'),
      /t\.jsonl, line 2, is not valid JSON/,
    );
    await expectInputError(() => read('{"a":1}\n7\n', 'jsonl'), /line 2: 7 is not an object/);
    await expectInputError(() => read('{"a":1}', 'json'), /an array of objects/);
    await expectInputError(() => read('[{"a":1},null]', 'json'), /item 2: null is not an object/);
  });
});

describe('tables', () => {
  test('a missing column lists those there are', async () => {
    const table = read('sentence,label\na,b\n', 'csv');
    await expectInputError(
      () => column(table, 'text'),
      /no column "text"; its columns are "sentence", "label"\.$/,
    );
    await expectInputError(() => column(table, '0'), /no column "0".*header: false/);
    await expectInputError(() => column(table, 2), /no column "2"/);
    await expectInputError(
      () => numberColumn(table, 'label'),
      /line 2: "b" in column "label" is not a number/,
    );
  });

  test('empty files, empty tables and doubled headers', async () => {
    for (const format of ['csv', 'tsv', 'jsonl', 'json', 'text'] as const) {
      await expectInputError(() => read(' \n'.trimStart(), format), /is empty; give a file/);
    }
    await expectInputError(() => read('[]', 'json'), /is empty/);
    await expectInputError(() => read('a,b\n', 'csv'), /has a header and no rows/);
    await expectInputError(() => read('a,a\n1,2\n', 'csv'), /line 1: the header names "a" twice/);
  });

  test('a text file is one document; an unknown ending is asked about', async () => {
    const table = await readTable(memorySource(utf8('one\ntwo\n'), 'x/y.txt'));
    expect(textColumn(table, 'text')).toEqual(['one\ntwo\n']);
    await expectInputError(
      () => readTable(memorySource(utf8('a'), 'y.parquet')),
      /use \.csv, \.tsv/,
    );
    expect(
      (await readTable(memorySource(utf8('a,b\n1,2'), 'y'), { format: 'csv' })).rows,
    ).toHaveLength(1);
  });
});

describe.skipIf(!hasShared)('real files', () => {
  const count = async (file: string, header = true): Promise<Table> =>
    readTable(`${SHARED}data/${file}`, { header });

  test('SST-2 and CoLA, without header', async () => {
    const sst2 = await count('sst2/train.tsv', false);
    expect(sst2.rows).toHaveLength(6920);
    expect(new Set(column(sst2, 1))).toEqual(new Set(['0', '1']));
    expect(new Set(column(await count('cola/dev.tsv', false), '1'))).toEqual(new Set(['0', '1']));
  });

  test('RTE, with header and unbalanced quotes', async () => {
    const rte = await count('rte/train.tsv');
    expect(rte.columns).toEqual(['index', 'sentence1', 'sentence2', 'label']);
    expect(rte.rows).toHaveLength(2490);
    expect(new Set(column(rte, 'label'))).toEqual(new Set(['entailment', 'not_entailment']));
  });

  test('STS-B in English and Portuguese', async () => {
    for (const language of ['en', 'pt']) {
      const table = await count(`stsb/stsb-${language}-dev.csv`, false);
      expect(table.rows).toHaveLength(1500);
      expect(numberColumn(table, 2).every((score) => score >= 0 && score <= 5)).toBe(true);
    }
  });

  test('GSM8K, instructions and plain text', async () => {
    expect((await count('gsm8k/test.jsonl')).rows).toHaveLength(1319);
    expect((await count('instruct/instruction-data.json')).columns).toEqual([
      'instruction',
      'input',
      'output',
    ]);
    expect(String((await count('lm/tinyshakespeare.txt')).rows[0]?.['text'])).toHaveLength(1115394);
  });
});
