/** @file Plain text for the demo: a table with aligned columns, and bars. */

/** Rows of equal length under a head; numbers (cells that start with a digit) go to the right. */
export function textTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, c) => Math.max(...rows.map((row) => row[c]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, c) => {
        const width = widths[c] ?? 0;
        return c > 0 && /^\d/.test(cell) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('   ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width));
  return rows.flatMap((row, i) => (i === 0 ? [line(row), line(rule)] : [line(row)])).join('\n');
}

/** A bar of up to `width` cells for a share of 0 to 1 of the longest. */
export function bar(share: number, width = 30): string {
  return '#'.repeat(Math.max(0, Math.min(width, Math.round(share * width))));
}
