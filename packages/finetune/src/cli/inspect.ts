/** @file `camada inspect`. */
import { InputError } from '@camada/tensor';
import {
  inspect,
  type ComparedLayer,
  type InspectedLayer,
  type Inspection,
} from '../run/inspect.ts';
import { checkOutput, saveFiles, type Files } from '../save/folder.ts';
import { command, type Command } from './command.ts';
import { currentDevice } from './device.ts';
import { fetching, MODEL_HELP } from './load.ts';
import type { OptionTable } from './options.ts';

const OPTIONS = {
  adapter: {
    type: 'text',
    value: 'DIR',
    help: 'Adapter folder, of PEFT or mlx-lm; the option may be left out before it.',
    required: true,
  },
  other: {
    type: 'text',
    value: 'DIR',
    help: 'Another adapter of the same model to compare with; the option may be left out, too.',
  },
  model: { type: 'text', value: 'MODEL', help: `For the amplification factor: ${MODEL_HELP}` },
  directions: {
    type: 'integer',
    value: 'K',
    help: 'Directions that are compared with the weights; the rank.',
  },
  output: { type: 'text', value: 'DIR', help: 'Folder for heat maps (SVG) and inspection.json.' },
} as const satisfies OptionTable;

const named: Command = command({
  name: 'inspect',
  summary: 'Look inside a LoRA adapter: spectra, ranks, shared subspaces, what it amplifies.',
  options: OPTIONS,
  examples: [
    'camada inspect ./adapter',
    'camada inspect ./adapter-seed-1 ./adapter-seed-2 --output ./similarity',
    'camada inspect ./adapter --model ./all-MiniLM-L6-v2 --directions 4 --json',
  ],
  async run({ adapter, other, model, directions, output }, screen) {
    if (directions !== undefined && directions < 1)
      throw new InputError(`--directions is ${directions}; a whole number from 1 is needed.`);
    if (output !== undefined) await checkOutput(output);
    await currentDevice();
    const inspection = await inspect(adapter, {
      ...(other !== undefined && { other }),
      ...(model !== undefined && { model }),
      ...(directions !== undefined && { directions }),
      fetch: fetching(screen),
      onProgress: (done, total) => screen.progress('Inspecting', done, total, 'layers'),
    });
    for (const warning of inspection.warnings) screen.say(warning);
    screen.result(text(inspection));
    if (output === undefined) return inspection;
    const files = await picturesOf(inspection);
    await saveFiles(output, files);
    screen.result(`Pictures and inspection.json are in ${output}`);
    return { output, ...inspection };
  },
});

/** Looks inside an adapter; the names of one or two may stand alone. */
export const inspectCommand: Command = {
  ...named,
  start(args, screen) {
    const end = args.findIndex((argument) => argument.startsWith('-'));
    const [adapter, other, third] = end < 0 ? args : args.slice(0, end);
    const rest = end < 0 ? [] : args.slice(end);
    if (third !== undefined)
      throw new InputError(`camada inspect compares two adapters; "${third}" is a third.`);
    return named.start(
      [
        ...(adapter === undefined ? [] : ['--adapter', adapter]),
        ...(other === undefined ? [] : ['--other', other]),
        ...rest,
      ],
      screen,
    );
  },
};

async function picturesOf(inspection: Inspection): Promise<Files> {
  // The plotting library is large.
  const { inspectionPictures } = await import('../report/inspection.ts');
  const encoder = new TextEncoder();
  const files = new Map<string, string>(inspectionPictures(inspection));
  files.set('inspection.json', `${JSON.stringify(inspection, null, 1)}\n`);
  return new Map([...files].map(([name, content]) => [name, [encoder.encode(content)]]));
}

function text({ layers, compared }: Inspection): string {
  const tables = [table(layers.map(measures))];
  if (layers.some(({ weight }) => weight !== null))
    tables.push(
      'Beside the weight W, in the first k directions of ΔW',
      table(layers.map(amplified)),
    );
  if (compared.length > 0)
    tables.push(
      'Subspaces shared with the other adapter: φ(i, j)',
      table(compared.map(similarity)),
    );
  return tables.join('\n\n');
}

type Row = Readonly<Record<string, string>>;

function measures({ path, rank, spectrum, norm, ...ranks }: InspectedLayer): Row {
  return {
    layer: path,
    rank: String(rank),
    '‖ΔW‖': short(norm),
    'σ₁': short(spectrum[0] ?? 0),
    'effective rank': short(ranks.effectiveRank),
    'stable rank': short(ranks.stableRank),
  };
}

function amplified({ path, norm, weight }: InspectedLayer): Row {
  if (weight === null) return { layer: path };
  return {
    layer: path,
    k: String(weight.k),
    '‖W‖': short(weight.weightNorm),
    '‖ΔW‖': short(norm),
    '‖UᵀWV‖': short(weight.inside),
    'of W itself': short(weight.own),
    'of random': short(weight.random),
    'amplified by': short(weight.factor),
  };
}

function similarity({ path, A, B, random }: ComparedLayer): Row {
  const last = (matrix: readonly (readonly number[])[]): number => matrix.at(-1)?.at(-1) ?? 0;
  return {
    layer: path,
    'A(1, 1)': short(A[0]?.[0] ?? 0),
    'A(R, R)': short(last(A)),
    'random A': short(random.A),
    'B(1, 1)': short(B[0]?.[0] ?? 0),
    'B(R, R)': short(last(B)),
    'random B': short(random.B),
  };
}

/** Four digits. */
function short(x: number): string {
  return Number.isFinite(x) ? String(Number(x.toPrecision(4))) : '∞';
}

/** Columns under their names, the first to the left, numbers to the right. */
function table(rows: readonly Row[]): string {
  const names = Object.keys(rows[0] ?? {});
  const widths = names.map((name) =>
    Math.max(name.length, ...rows.map((row) => (row[name] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ');
  return [names, ...rows.map((row) => names.map((name) => row[name] ?? ''))].map(line).join('\n');
}
