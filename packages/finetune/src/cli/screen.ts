/**
 * @file What the user sees. Results go to standard output; banner, progress and notes to standard error, so that
 * `--json` leaves nothing but one object on standard output.
 */

/** Least time between two updates of the progress line, in ms. */
const UPDATE = { terminal: 100, log: 10_000 };

/** Standard output and error of a command. */
export class Screen {
  readonly json: boolean;
  readonly #terminal: boolean = process.stderr.isTTY;
  #shown = false;
  #lastUpdate = 0;
  /** Where the current line began. */
  #start: { readonly label: string; readonly done: number; readonly at: number } = {
    label: '',
    done: 0,
    at: 0,
  };

  constructor(json: boolean) {
    this.json = json;
  }

  /** A line of results, for people only. */
  result(text: string): void {
    if (this.json) return;
    this.clear();
    process.stdout.write(`${text}\n`);
  }

  /** A piece of a line of results that grows, for people only. */
  piece(text: string): void {
    if (this.json) return;
    this.clear();
    process.stdout.write(text);
  }

  /** A line about what goes on. */
  say(text: string): void {
    this.clear();
    process.stderr.write(`${text}\n`);
  }

  /**
   * The progress line: a label, a bar, a detail, the rate and the time left. On a terminal it is drawn over;
   * in a log it appears every ten seconds and at the end.
   */
  progress(label: string, done: number, total: number, detail = ''): void {
    const now = performance.now();
    if (label !== this.#start.label) this.#start = { label, done, at: now };
    const wait = this.#terminal ? UPDATE.terminal : UPDATE.log;
    if (done < total && now - this.#lastUpdate < wait) return;
    this.#lastUpdate = now;
    const { done: from, at } = this.#start;
    const rate = now > at ? (done - from) / ((now - at) / 1000) : 0;
    const line = progressLine(label, done, total, detail, rate);
    if (!this.#terminal) process.stderr.write(`${line}\n`);
    else {
      process.stderr.write(`\r${line.slice(0, (process.stderr.columns || 80) - 1)}\x1b[K`);
      this.#shown = true;
      if (done >= total) this.clear();
    }
  }

  /** Ends the progress line. */
  clear(): void {
    if (this.#shown) process.stderr.write('\r\x1b[K');
    this.#shown = false;
  }
}

const BAR = 20;

/** One progress line; `rate` is a second's work, 0 while it is not known. */
export function progressLine(
  label: string,
  done: number,
  total: number,
  detail: string,
  rate: number,
): string {
  const filled = Math.round((BAR * done) / total);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR - filled);
  const left =
    rate > 0 ? `  ${rate.toPrecision(3)}/s  ${duration((total - done) / rate)} left` : '';
  return `${label} ${bar} ${done}/${total}${detail ? `  ${detail}` : ''}${left}`;
}

/** Seconds as 12s, 3m05s or 1h02m. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (n: number): string => String(n).padStart(2, '0');
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
}
