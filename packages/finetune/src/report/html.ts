/** @file `report.html`: one file that needs nothing else, neither network nor scripts. */
import type { ImportanceReport } from '@camada/cka';
import type { Metrics } from '../eval/metrics.ts';
import type { RunSummary } from '../run/events.ts';
import type { StepReport } from '../train/loop.ts';

/** What a report shows. */
export interface ReportData {
  readonly summary: RunSummary;
  readonly before: Metrics;
  readonly after: Metrics;
  readonly history: readonly StepReport[];
  readonly importance: ImportanceReport | undefined;
  readonly layers: readonly number[];
  readonly seconds: number;
  readonly peakBytes: number;
}

const STYLE = `
:root { color: #24302b; background: #fbfaf6; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 820px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
h2 small { display: block; color: #6b756f; font-size: .85rem; font-weight: normal; }
table { border-collapse: collapse; } td, th { padding: .25rem 1rem .25rem 0; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
tr { border-bottom: 1px solid #e3e0d5; } figure { margin: 0; overflow-x: auto; }
p.note { color: #6b5d2e; } svg { max-width: 100%; height: auto; }`;

/** The page of a run. */
export async function reportHtml(data: ReportData): Promise<string> {
  const { summary } = data;
  const name = summary.model.split(/[/\\]/).findLast((part) => part !== '') ?? summary.model;
  const title = `${name}: ${summary.task}`;
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(title)}</title><style>${STYLE}</style></head>
<body>
<h1>${escape(title)}</h1>
<h2>Held-out data, before and after</h2>
${metricsTable(data)}
${await figures(data)}
<h2>Facts</h2>
${factsTable(data)}
</body>
</html>
`;
}

async function figures({ history, importance, layers }: ReportData): Promise<string> {
  // Half a second and 60 MB of code that only reports need.
  const { heatMap, importanceBars, lossChart } = await import('./charts.ts');
  const parts = [figure('Training loss', lossChart(history))];
  if (importance) {
    parts.push(
      figure('Importance of the layers', importanceBars(importance, layers), protocol(importance)),
      ...importance.notes.map((note) => `<p class="note">${escape(note)}</p>`),
      figure(
        'Similarity of all levels',
        heatMap(importance),
        'CKA of the embeddings (emb) and the output of every layer',
      ),
    );
  }
  return parts.join('\n');
}

/** How the bars were measured. */
function protocol({ estimator, pooling, examples, stability }: ImportanceReport): string {
  const stable =
    stability === null ? '' : `; resampled rankings agree to ${stability.toFixed(2)} (Spearman)`;
  return `1 − CKA of each layer's input and output (${estimator}, linear, pooling ${pooling}) on ${examples} examples${stable}; trained layers are green`;
}

function figure(title: string, svg: string, caption = ''): string {
  const small = caption && `<small>${escape(caption)}</small>`;
  return `<h2>${escape(title)}${small}</h2>\n<figure>${svg}</figure>`;
}

function metricsTable({ before, after }: ReportData): string {
  const names = ['accuracy', 'macroF1', 'pearson', 'spearman', 'perplexity', 'loss', 'n'] as const;
  const rows = names
    .filter((name) => after[name] !== undefined)
    .map((name) => row([name, number(before[name]), number(after[name])]));
  return `<table><tr><th></th><th>before</th><th>after</th></tr>\n${rows.join('\n')}</table>`;
}

function factsTable({ summary, seconds, peakBytes }: ReportData): string {
  const share = (100 * summary.trainableParameters) / summary.totalParameters;
  const facts: readonly (readonly [string, string])[] = [
    ['model', `${summary.model} (${summary.modelType}, ${summary.layerCount} layers)`],
    ['method', methodText(summary)],
    ['layers trained', summary.layers.join(', ') || 'none'],
    [
      'trainable parameters',
      `${summary.trainableParameters.toLocaleString('en')} of ${summary.totalParameters.toLocaleString('en')} (${share.toFixed(2)} %)`,
    ],
    ['examples', `${summary.examples.train} to learn from, ${summary.examples.test} held out`],
    ['classes', summary.labels?.join(', ') ?? '–'],
    [
      'training',
      `${summary.epochs} epochs, ${summary.batchSize} examples a step, learning rate ${summary.learningRate}, seed ${summary.seed}`,
    ],
    ['longest text', `${summary.maxLength} tokens`],
    ['device', summary.device],
    ['time', `${seconds.toFixed(1)} s`],
    ['peak memory', `${(peakBytes / 2 ** 20).toFixed(0)} MiB`],
  ];
  const cells = facts.map(([name, value]) => `<tr><th>${name}</th><td>${escape(value)}</td></tr>`);
  return `<table>${cells.join('\n')}</table>`;
}

function methodText({ method, lora }: RunSummary): string {
  if (!lora) return method;
  const { r, lora_alpha, lora_dropout, target_modules, use_rslora } = lora;
  const targets = typeof target_modules === 'string' ? target_modules : target_modules.join(', ');
  const dropout = lora_dropout > 0 ? `, dropout ${lora_dropout}` : '';
  return `${method === 'lora' && use_rslora ? 'rslora' : method}, r ${r}, alpha ${lora_alpha}${dropout}, on ${targets}`;
}

function row([name = '', ...values]: readonly string[]): string {
  const cells = values.map((value) => `<td class="number">${escape(value)}</td>`).join('');
  return `<tr><th>${escape(name)}</th>${cells}</tr>`;
}

function number(value: number | null | undefined): string {
  if (value === undefined || value === null) return '–';
  return Number.isInteger(value) ? String(value) : value.toFixed(4);
}

function escape(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? character);
}
