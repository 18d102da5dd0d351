/** @file The pictures of a comparison, SVG by file name. Loaded when they are drawn, as the report's charts are. */
import { CHOSEN, OTHER, draw, whisker } from '../report/charts.ts';
import type { ComparisonRow, ComparisonSummary } from './summary.ts';

/** Every picture that the comparison has numbers for. */
export function comparisonPictures(summary: ComparisonSummary): Map<string, string> {
  const pictures = new Map([
    ['scores.svg', scores(summary)],
    ['time.svg', times(summary)],
    ['jaccard.svg', heat(summary, summary.jaccard, 0)],
    ['spearman.svg', heat(summary, summary.spearman, -1)],
  ]);
  if (summary.retentionMetric !== undefined) pictures.set('retention.svg', retention(summary));
  if (summary.stability.length > 0) pictures.set('stability.svg', stability(summary));
  return pictures;
}

function label({ method, selector }: ComparisonRow, rows: readonly ComparisonRow[]): string {
  const several = rows.some((row) => row.method !== rows[0]!.method);
  return several ? `${selector}\n${method}` : selector;
}

function scores({ rows, score, verdicts }: ComparisonSummary): string {
  return bars(rows, score, verdicts[0]?.chosen, (row) => row.score);
}

function retention({ rows, retentionMetric = '', verdicts }: ComparisonSummary): string {
  const name = `second task: ${retentionMetric}`;
  return bars(rows, name, verdicts[0]?.chosen, (row) => row.retention ?? { mean: NaN, sd: 0 });
}

function times({ rows, verdicts }: ComparisonSummary): string {
  return bars(rows, 'training, s', verdicts[0]?.chosen, (row) => row.seconds);
}

/** Means with whiskers of one standard deviation; the chosen selector stands out. */
function bars(
  rows: readonly ComparisonRow[],
  name: string,
  chosen: string | undefined,
  value: (row: ComparisonRow) => ComparisonRow['score'],
): string {
  const spreads = rows.map(value);
  return draw(
    {
      grid: { left: 70, right: 20, top: 36, bottom: 70 },
      xAxis: {
        type: 'category',
        data: rows.map((row) => label(row, rows)),
        axisLabel: { interval: 0, rotate: rows.length > 6 ? 30 : 0 },
      },
      yAxis: { type: 'value', name, scale: true },
      series: [
        {
          type: 'bar',
          barMaxWidth: 48,
          data: spreads.map(({ mean }, i) => ({
            value: mean,
            itemStyle: { color: rows[i]!.selector === chosen ? CHOSEN : OTHER },
          })),
        },
        {
          type: 'custom',
          renderItem: whisker,
          encode: { x: 0, y: [1, 2] },
          data: spreads.map(({ mean, sd }, i) => [i, mean - sd, mean + sd]),
          z: 10,
        },
      ],
    },
    Math.max(480, 90 * rows.length),
    340,
  );
}

/** Values of all pairs of selectors, from `min` to 1. */
function heat(
  { selectors }: ComparisonSummary,
  values: readonly (readonly (number | null)[])[],
  min: number,
): string {
  const size = Math.max(320, 48 * selectors.length + 160);
  return draw(
    {
      grid: { left: 130, right: 90, top: 12, bottom: 110 },
      xAxis: { type: 'category', data: selectors, axisLabel: { interval: 0, rotate: 40 } },
      yAxis: { type: 'category', data: selectors },
      visualMap: {
        min,
        max: 1,
        right: 0,
        top: 'center',
        itemHeight: 140,
        text: ['1', String(min)],
        inRange: { color: ['#fdfaf0', '#f2c14e', '#c8553d', '#4b1d3f'] },
      },
      series: [
        {
          type: 'heatmap',
          data: values.flatMap((row, i) =>
            row.map((value, j) => [j, i, value === null ? '-' : Math.round(value * 100) / 100]),
          ),
          label: { show: true, fontSize: 10 },
          itemStyle: { borderColor: '#fff', borderWidth: 1 },
        },
      ],
    },
    size + 140,
    size,
  );
}

/** Agreement of rankings by the number of examples. */
function stability({ stability: points }: ComparisonSummary): string {
  const selectors = [...new Set(points.map(({ selector }) => selector))];
  return draw(
    {
      grid: { left: 60, right: 20, top: 40, bottom: 44 },
      legend: { top: 4, itemGap: 24 },
      xAxis: { type: 'log', name: 'examples', nameLocation: 'middle', nameGap: 28 },
      yAxis: { type: 'value', name: 'Spearman', max: 1 },
      series: selectors.map((name) => ({
        name,
        type: 'line',
        data: points
          .filter(({ selector, agreement }) => selector === name && agreement !== undefined)
          .map(({ samples, agreement }) => [samples, agreement]),
      })),
    },
    560,
    300,
  );
}
