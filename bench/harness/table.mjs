/** @file The table on the terminal and in Markdown. */

const COLUMNS = ['what', 'ours', 'spread', 'best peer', 'spread', 'ratio', 'target', 'verdict'];

function cells(row) {
  return [
    row.what,
    row.ours ?? '',
    row.spread ?? '',
    row.peer ?? '',
    row.peerSpread ?? '',
    row.ratio === undefined ? '' : `${row.ratio.toFixed(2)}×`,
    row.target,
    row.verdict,
  ];
}

/** One suite's rows as lines; notes stand below as footnotes. */
export function printTable(title, rows) {
  const lines = [COLUMNS, ...rows.map(cells)];
  const widths = COLUMNS.map((_, i) => Math.max(...lines.map((line) => [...line[i]].length)));
  const text = lines.map((line) => line.map((cell, i) => cell.padEnd(widths[i])).join('  '));
  const notes = [...new Set(rows.map(({ note }) => note).filter(Boolean))];
  return [`\n${title}`, ...text, ...notes.map((note) => `  · ${note}`)].join('\n');
}
