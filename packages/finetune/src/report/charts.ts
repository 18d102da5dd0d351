/** @file The report's charts as SVG text, drawn by ECharts without a browser. Loaded when a report is made. */
import { init, use, type EChartsCoreOption } from 'echarts/core';
import { BarChart, CustomChart, HeatmapChart, LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, VisualMapComponent } from 'echarts/components';
import { SVGRenderer } from 'echarts/renderers';
import type { CustomSeriesRenderItem } from 'echarts';
import type { ImportanceReport } from '@camada/cka';
import type { StepReport } from '../train/loop.ts';

use([
  BarChart,
  CustomChart,
  HeatmapChart,
  LineChart,
  GridComponent,
  LegendComponent,
  VisualMapComponent,
  SVGRenderer,
]);

/** Colour of what was chosen. */
export const CHOSEN = '#0b6e4f';
/** Colour of the others. */
export const OTHER = '#b9c4bd';
const INK = '#24302b';

/** Most points of a curve; longer ones are thinned out. */
const POINTS = 1500;

/** A chart as SVG text; width and height in pixels. */
export function draw(option: EChartsCoreOption, width: number, height: number): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({ animation: false, textStyle: { color: INK }, ...option });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

/** Training loss by step, each step and a running mean. */
export function lossChart(history: readonly StepReport[]): string {
  const stride = Math.max(1, Math.ceil(history.length / POINTS));
  const kept = <T>(points: readonly T[]): T[] => points.filter((_, i) => i % stride === 0);
  const smooth = smoothed(history.map((report) => report.loss));
  return draw(
    {
      grid: { left: 60, right: 20, top: 36, bottom: 44 },
      legend: { top: 4, itemGap: 24 },
      xAxis: {
        type: 'value',
        name: 'step',
        nameLocation: 'middle',
        nameGap: 28,
        min: 0,
        max: history.length,
      },
      yAxis: { type: 'value', name: 'loss', scale: true },
      series: [
        {
          name: 'each step',
          type: 'line',
          showSymbol: history.length < 2,
          lineStyle: { width: 1, color: OTHER },
          itemStyle: { color: OTHER },
          data: kept(history.map(({ step, loss }) => [step, loss])),
        },
        {
          name: 'running mean',
          type: 'line',
          showSymbol: false,
          lineStyle: { width: 2, color: CHOSEN },
          itemStyle: { color: CHOSEN },
          data: kept(history.map(({ step }, i) => [step, smooth[i]])),
        },
      ],
    },
    760,
    300,
  );
}

/** Exponential mean with the bias of its start taken out (Kingma and Ba 2015, section 3). */
function smoothed(values: readonly number[]): number[] {
  const keep = 1 - 1 / Math.max(2, Math.min(50, values.length / 10));
  let [sum, weight] = [0, 0];
  return values.map((value) => {
    sum = keep * sum + (1 - keep) * value;
    weight = keep * weight + (1 - keep);
    return sum / weight;
  });
}

/** CKA of all pairs of levels, embeddings and the output of every layer. */
export function heatMap({ matrix }: ImportanceReport): string {
  const names = matrix.map((_, i) => (i === 0 ? 'emb' : String(i - 1)));
  return squares(matrix, { rows: names, columns: names, across: 'output of layer' });
}

/** What stands beside the squares of a heat map. */
export interface SquareNames {
  /** Names of the rows, from below. */
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** What the columns are. */
  readonly across: string;
  /** What the rows are. */
  readonly up?: string;
}

/** A heat map of numbers from 0 to 1, the first row below; null is left white. */
export function squares(
  matrix: readonly (readonly (number | null)[])[],
  { rows, columns, across, up }: SquareNames,
): string {
  const cells = matrix.flatMap((row, i) =>
    row.map((value, j) => [j, i, value === null ? '-' : Math.round(value * 1000) / 1000]),
  );
  const side = (count: number): number => Math.max(300, Math.min(640, 40 * count));
  const left = 24 + 7 * Math.max(...rows.map((name) => name.length));
  return draw(
    {
      grid: { left: left + (up ? 16 : 0), right: 90, top: 12, bottom: 48 },
      xAxis: {
        type: 'category',
        data: columns,
        name: across,
        nameLocation: 'middle',
        nameGap: 28,
      },
      yAxis: {
        type: 'category',
        data: rows,
        ...(up && { name: up, nameLocation: 'middle', nameGap: left }),
      },
      visualMap: {
        min: 0,
        max: 1,
        right: 0,
        top: 'center',
        text: ['1', '0'],
        itemHeight: 140,
        inRange: { color: ['#fdfaf0', '#f2c14e', '#c8553d', '#4b1d3f'] },
      },
      series: [
        {
          type: 'heatmap',
          data: cells,
          itemStyle: { borderColor: '#fff', borderWidth: 1 },
          label: { show: Math.max(rows.length, columns.length) <= 13, fontSize: 10 },
        },
      ],
    },
    side(columns.length) + 100 + left,
    side(rows.length),
  );
}

/** Importance of every layer with its interval; chosen layers stand out. */
export function importanceBars({ layers }: ImportanceReport, chosen: readonly number[]): string {
  return draw(
    {
      grid: { left: 60, right: 20, top: 20, bottom: 44 },
      xAxis: {
        type: 'category',
        data: layers.map(({ index }) => String(index)),
        name: 'layer',
        nameLocation: 'middle',
        nameGap: 28,
      },
      yAxis: { type: 'value', name: '1 − CKA', min: 0 },
      series: [
        {
          type: 'bar',
          barMaxWidth: 48,
          data: layers.map(({ index, importance }) => ({
            value: importance,
            itemStyle: { color: chosen.includes(index) ? CHOSEN : OTHER },
          })),
        },
        {
          type: 'custom',
          renderItem: whisker,
          encode: { x: 0, y: [1, 2] },
          data: layers
            .filter((layer) => layer.excluded === undefined)
            .map(({ index, low, high }) => [index, low, high]),
          z: 10,
        },
      ],
    },
    760,
    300,
  );
}

/** A vertical line with short ends; data are [category, low, high]. */
export const whisker: CustomSeriesRenderItem = (_params, api) => {
  const [x = 0, bottom = 0] = api.coord([api.value(0), api.value(1)]);
  const [, top = 0] = api.coord([api.value(0), api.value(2)]);
  const style = { stroke: INK, lineWidth: 1.5 };
  const line = (x1: number, y1: number, x2: number, y2: number) =>
    ({ type: 'line', shape: { x1, y1, x2, y2 }, style }) as const;
  return {
    type: 'group',
    children: [
      line(x, bottom, x, top),
      line(x - 5, bottom, x + 5, bottom),
      line(x - 5, top, x + 5, top),
    ],
  };
};
