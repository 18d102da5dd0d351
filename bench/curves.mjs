/**
 * @file Cost as the work grows: time and peak device memory of a GPT training step over T, layers and vocabulary, as a picture.
 * `node bench/curves.mjs [--quick] [wasm|webgpu]`; writes docs/images/cost.svg and results/curves.json.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { init, use } from 'echarts/core';
import { LineChart } from 'echarts/charts';
import { GridComponent, TitleComponent } from 'echarts/components';
import { SVGRenderer } from 'echarts/renderers';
import { Contender } from './harness/contender.mjs';
import { median } from './harness/statistics.mjs';
import { GPT } from './programs/gpt.mjs';
import { wasm, webgpu } from './suites/contenders.mjs';

use([LineChart, GridComponent, TitleComponent, SVGRenderer]);

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false } },
  allowPositionals: true,
});
/** One row of text, so that the longest one fits. */
const BASE = { ...GPT, layers: 4, batch: 1, length: 128 };
const CURVES = {
  'tokens, T': { field: 'length', values: [64, 128, 256, 512, 1024] },
  layers: { field: 'layers', values: [2, 4, 8, 16, 24] },
  'vocabulary, V': { field: 'vocabulary', values: [1024, 4096, 16384, 50257] },
};

async function measure(params) {
  const contender = new Contender(positionals[0] === 'webgpu' ? webgpu('auto') : wasm(2));
  try {
    await contender.ask('prepare', { task: 'gpt', params: { ...params, warm: 1 } });
    const { times } = await contender.ask('round', { budget: values.quick ? 0 : 2000, least: 1 });
    const { devicePeak } = await contender.ask('report');
    return { ms: median(times), megabytes: devicePeak / 1e6 };
  } finally {
    await contender.end();
  }
}

/** Two panels for each curve: time above, memory below. */
function picture(curves) {
  const names = Object.keys(curves);
  const [width, height] = [960, 460];
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  const panels = names.flatMap((name, column) =>
    ['ms', 'megabytes'].map((unit, row) => ({ name, column, row, unit })),
  );
  const third = width / names.length;
  chart.setOption({
    animation: false,
    title: panels.map(({ name, column, row, unit }) => ({
      text: row === 0 ? `ms a step over ${name}` : `MB at the peak over ${name}`,
      left: column * third + 12,
      top: row * 230,
      textStyle: { fontSize: 13, fontWeight: 'normal' },
      id: `${unit}${column}`,
    })),
    grid: panels.map(({ column, row }) => ({
      left: column * third + 56,
      width: third - 84,
      top: row * 230 + 32,
      height: 150,
    })),
    xAxis: panels.map((_, i) => ({ type: 'value', gridIndex: i })),
    yAxis: panels.map((_, i) => ({ type: 'value', gridIndex: i, min: 0 })),
    series: panels.map(({ name, unit }, i) => ({
      type: 'line',
      xAxisIndex: i,
      yAxisIndex: i,
      lineStyle: { color: '#0b6e4f' },
      itemStyle: { color: '#0b6e4f' },
      data: curves[name].map((point) => [point.at, point[unit]]),
    })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

const curves = {};
for (const [name, { field, values: points }] of Object.entries(CURVES)) {
  curves[name] = [];
  for (const at of values.quick ? points.slice(0, 2) : points) {
    const point = { at, ...(await measure({ ...BASE, [field]: at })) };
    curves[name].push(point);
    console.log(`${name} ${at}: ${point.ms.toFixed(0)} ms, ${point.megabytes.toFixed(0)} MB`);
  }
}
const folder = new URL('../', import.meta.url);
writeFileSync(new URL('docs/images/cost.svg', folder), picture(curves));
writeFileSync(
  new URL('bench/results/curves.json', folder),
  `${JSON.stringify({ base: BASE, curves }, undefined, 1)}\n`,
);
