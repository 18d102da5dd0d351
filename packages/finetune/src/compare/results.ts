/** @file The results of a comparison, a line each, so that an interrupted one goes on where it stopped (Node). */
import { InputError } from '@camada/tensor';
import type { Metrics } from '../eval/metrics.ts';
import type { Ranking } from './rank.ts';

/** One training run: what was trained does not depend on who chose the layers. */
export interface RunRecord {
  readonly kind: 'run';
  /** Of the method, its settings included. */
  readonly method: string;
  readonly layers: readonly number[];
  readonly seed: number;
  readonly metrics: Metrics;
  /** Of the second task; undefined without one. */
  readonly retention?: number;
  /** Training, what frozen layers hand on not counted where it was there. */
  readonly seconds: number;
  /** Half of the steps took less. */
  readonly stepSeconds: number;
  /** Planned by the engine, for whole passes over the longest batch. */
  readonly peakBytes: number;
  /** In layers. */
  readonly parameters: number;
  readonly headParameters: number;
  /** The block at which passes began. */
  readonly entry: number;
}

/** One ranking. */
export interface RankingRecord extends Ranking {
  readonly kind: 'ranking';
  /** Examples that were asked for. */
  readonly samples: number;
}

interface HeaderRecord {
  readonly kind: 'comparison';
  readonly identity: string;
}

type ResultRecord = RunRecord | RankingRecord | HeaderRecord;

/** Runs and rankings that are done. */
export class Results {
  readonly #path: string | undefined;
  readonly #fs: typeof import('node:fs') | undefined;
  readonly #runs = new Map<string, RunRecord>();
  readonly #rankings = new Map<string, RankingRecord>();

  private constructor(path?: string, fs?: typeof import('node:fs')) {
    this.#path = path;
    this.#fs = fs;
  }

  /**
   * Takes up what a file has. Throws InputError when it is of another model, data or training.
   * @param path undefined to keep results in memory only.
   * @param identity of all that results follow from, but for their own fields.
   */
  static async open(path: string | undefined, identity: string): Promise<Results> {
    if (path === undefined) return new Results();
    const fs = await import('node:fs');
    const results = new Results(path, fs);
    const known = fs.existsSync(path) ? readLines(fs.readFileSync(path, 'utf8')) : [];
    const [header, ...rest] = known;
    if (!header) {
      fs.mkdirSync(path.replace(/[^/\\]*$/, '') || '.', { recursive: true });
      fs.writeFileSync(path, line({ kind: 'comparison', identity }));
      return results;
    }
    if (header.kind !== 'comparison' || header.identity !== identity)
      throw new InputError(
        `${path} holds results of another model, other data or other training; name another output folder.`,
      );
    rest.forEach((record) => results.#keep(record));
    fs.writeFileSync(path, known.map(line).join('')); // a torn line is gone
    return results;
  }

  /** A finished run. */
  run(method: string, layers: readonly number[], seed: number): RunRecord | undefined {
    return this.#runs.get(runKey(method, layers, seed));
  }

  /** A finished ranking. */
  ranking(selector: string, samples: number, seed: number): RankingRecord | undefined {
    return this.#rankings.get(`${selector} ${samples} ${seed}`);
  }

  /** Keeps a run. */
  addRun(record: RunRecord): void {
    this.#add(record);
  }

  /** Keeps a ranking. */
  addRanking(record: RankingRecord): void {
    this.#add(record);
  }

  #add(record: ResultRecord): void {
    this.#keep(record);
    if (this.#path !== undefined) this.#fs?.appendFileSync(this.#path, line(record));
  }

  #keep(record: ResultRecord): void {
    if (record.kind === 'run')
      this.#runs.set(runKey(record.method, record.layers, record.seed), record);
    if (record.kind === 'ranking')
      this.#rankings.set(`${record.selector} ${record.samples} ${record.seed}`, record);
  }
}

function runKey(method: string, layers: readonly number[], seed: number): string {
  return `${method}|${layers.join(',')}|${seed}`;
}

function line(record: ResultRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/** The lines are this program's own; one that was torn by a crash ends the file. */
function readLines(text: string): ResultRecord[] {
  const records: ResultRecord[] = [];
  for (const part of text.split('\n').slice(0, -1)) {
    try {
      records.push(JSON.parse(part) as ResultRecord);
    } catch {
      break;
    }
  }
  return records;
}
