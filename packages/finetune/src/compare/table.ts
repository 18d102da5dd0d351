/** @file A comparison as Markdown. */
import type { ComparisonRow, ComparisonSummary, Spread } from './summary.ts';

/** The page: verdicts first, then the tables. */
export function comparisonMarkdown(summary: ComparisonSummary): string {
  const { verdicts, rows, stability, savedSeconds } = summary;
  const parts = [
    '# Comparison',
    ...verdicts.map(({ sentence }) => sentence),
    table(
      headings(summary),
      rows.map((row) => cells(row, summary)),
    ),
    'Mean ± standard deviation over the seeds. Peak memory is what the engine plans for a whole pass over the longest batch. ' +
      'The selector `all` trains every layer and stands outside of the budget.' +
      (savedSeconds > 0
        ? ` What frozen layers hand on was computed once for all runs, which saved about ${savedSeconds.toFixed(0)} s.`
        : ''),
    '## Overlap of the chosen layers (Jaccard)',
    matrix(summary, summary.jaccard),
    '## Agreement of the rankings (Spearman)',
    matrix(summary, summary.spearman),
    ...(stability.length > 0
      ? [
          '## Stability: agreement of rankings from other samples (mean Spearman of all pairs)',
          stabilityTable(summary),
        ]
      : []),
  ];
  return `${parts.join('\n\n')}\n`;
}

function headings({ score, retentionMetric, retentionBefore }: ComparisonSummary): string[] {
  const before = retentionBefore === undefined ? '' : `; ${retentionBefore.toFixed(4)} before`;
  return [
    'method',
    'selector',
    'layers',
    score,
    ...(retentionMetric === undefined ? [] : [`retention (${retentionMetric}${before})`]),
    'training, s',
    'step, ms',
    'peak, MiB',
    'parameters in layers',
    'in the head',
  ];
}

function cells(row: ComparisonRow, { retentionMetric }: ComparisonSummary): string[] {
  return [
    row.method,
    row.selector,
    row.layers.join(' ') || 'none',
    spread(row.score, 4),
    ...(retentionMetric === undefined ? [] : [row.retention ? spread(row.retention, 4) : '–']),
    spread(row.seconds, 1),
    (1000 * row.stepSeconds.mean).toFixed(1),
    (row.peakBytes / 2 ** 20).toFixed(1),
    row.parameters.toLocaleString('en'),
    row.headParameters.toLocaleString('en'),
  ];
}

function spread({ mean, sd }: Spread, digits: number): string {
  return `${mean.toFixed(digits)} ± ${sd.toFixed(digits)}`;
}

function matrix(
  { selectors }: ComparisonSummary,
  values: readonly (readonly (number | null)[])[],
): string {
  const shown = (value: number | null): string => (value === null ? '–' : value.toFixed(2));
  return table(
    ['', ...selectors],
    selectors.map((name, i) => [name, ...values[i]!.map(shown)]),
  );
}

function stabilityTable({ stability }: ComparisonSummary): string {
  const sizes = [...new Set(stability.map(({ samples }) => samples))];
  const selectors = [...new Set(stability.map(({ selector }) => selector))];
  return table(
    ['examples', ...sizes.map(String)],
    selectors.map((name) => [
      name,
      ...sizes.map((size) => {
        const found = stability.find(
          ({ selector, samples }) => selector === name && samples === size,
        );
        return found?.agreement?.toFixed(2) ?? '–';
      }),
    ]),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (parts: readonly string[]): string => `| ${parts.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
