/** @file The pictures of an inspected adapter as SVG files. */
import type { Inspection } from '../run/inspect.ts';
import { squares } from './charts.ts';

const SPACES = ['A', 'B'] as const;

/** Files by name: spectra of all layers, subspaces between layers, and against another adapter. */
export function inspectionPictures({ layers, between, compared }: Inspection): Map<string, string> {
  const pictures = new Map([['spectrum.svg', spectra(layers)]]);
  for (const { name, paths, ...maps } of between)
    for (const space of SPACES) {
      const names = paths.map(layerName);
      const axes = { rows: names, columns: names, across: `layer (${space} of ${name})` };
      pictures.set(`layers-${space}-${name}.svg`, squares(maps[space], axes));
    }
  for (const { path, ...maps } of compared)
    for (const space of SPACES) {
      const matrix = maps[space];
      const numbered = (count: number): string[] =>
        Array.from({ length: count }, (_, i) => String(i + 1));
      const rows = numbered(matrix.length);
      const columns = numbered(matrix[0]?.length ?? 0);
      const axes = { rows, columns, across: `j, of the other ${space}`, up: `i, of ${space}` };
      pictures.set(`subspaces-${space}-${path}.svg`, squares(matrix, axes));
    }
  return pictures;
}

/** Singular values of every layer as shares of its first. */
function spectra(layers: Inspection['layers']): string {
  const rank = Math.max(...layers.map(({ spectrum }) => spectrum.length));
  const shares = layers.map(({ spectrum }) =>
    Array.from({ length: rank }, (_, i) =>
      spectrum[i] === undefined ? null : spectrum[i] / (spectrum[0] || 1),
    ),
  );
  const columns = Array.from({ length: rank }, (_, i) => String(i + 1));
  const rows = layers.map(({ path }) => path.split('.').slice(-4).join('.'));
  return squares(shares, { rows, columns, across: 'singular value, as a share of the first' });
}

function layerName(path: string): string {
  return /\.(\d+)\./.exec(path)?.[1] ?? path;
}
