/** @file `metrics.jsonl`: one JSON object a line, the run's facts first, then its steps, then the results. */
import type { ImportanceReport } from '@camada/cka';
import type { RunSummary } from '../run/events.ts';
import type { ReportData } from './html.ts';

/** What is known when training begins. */
export function firstLines(
  summary: RunSummary,
  importance: ImportanceReport | undefined,
): object[] {
  return [
    { event: 'start', ...summary },
    ...(importance ? [{ event: 'importance', ...importance }] : []),
  ];
}

/** The lines of a run. */
export function metricsLines({ summary, before, after, history, ...rest }: ReportData): string {
  const { layers, importance, seconds, peakBytes } = rest;
  const lines: unknown[] = [
    ...firstLines(summary, importance),
    { event: 'before', ...before },
    ...history.map((report) => ({ event: 'step', ...report })),
    { event: 'after', ...after },
    { event: 'end', layers, seconds, peakBytes },
  ];
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}
