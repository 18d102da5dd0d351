/** @file From measurements to rows of the table: ours, the best peer, the ratio, the target and a verdict. */

/** What a row says. */
export const VERDICTS = { reached: 'reached', short: 'SHORT', open: 'not measurable here' };

const good = (entry) => entry !== undefined && entry.error === undefined;

/** Why there is no number. */
function missing(name, entry) {
  return `${name}: ${entry?.error ?? 'not measured'}`;
}

/** The peers' fastest entry, `[name, entry]`. */
export function fastest(results, names) {
  return names
    .map((name) => [name, results?.[name]])
    .filter(([, entry]) => good(entry))
    .toSorted(([, a], [, b]) => a.median - b.median)[0];
}

/** A row that cannot be measured here. */
export function unmeasured(what, target, why) {
  return { what, target, verdict: VERDICTS.open, note: why };
}

/** Milliseconds for people. */
export function milliseconds(ms) {
  return `${ms >= 100 ? ms.toFixed(0) : ms.toPrecision(3)} ms`;
}

/**
 * Ours against the fastest of the peers. `least`: how many times faster we are to be; without it the row only states the
 * ratio. `show`: ms as text.
 */
export function versus(what, results, { ours, peers, least, show = milliseconds }) {
  const target = least === undefined ? 'stated' : `≥ ${least}×`;
  const mine = results?.[ours];
  const best = fastest(results, peers);
  const gone = peers.filter((name) => !good(results?.[name]));
  const note = gone.map((name) => missing(name, results?.[name])).join('; ');
  if (!good(mine)) return unmeasured(what, target, missing(ours, mine));
  const row = { what, target, ours: show(mine.median), spread: spread(mine), note };
  if (!best) return { ...row, verdict: VERDICTS.open, note };
  const [name, peer] = best;
  const ratio = peer.median / mine.median;
  return {
    ...row,
    peer: `${name} ${show(peer.median)}`,
    peerSpread: spread(peer),
    ratio,
    verdict: least === undefined ? 'stated' : judged(ratio >= least),
  };
}

/** A number of ours against a bound of its own. */
export function bounded(what, value, { most, least, unit = '', digits = 2, note = '' }) {
  const target = most === undefined ? `≥ ${least}${unit}` : `≤ ${most}${unit}`;
  if (value === undefined || Number.isNaN(value))
    return unmeasured(what, target, note || 'not measured');
  const reached = most === undefined ? value >= least : value <= most;
  return { what, target, ours: `${value.toFixed(digits)}${unit}`, verdict: judged(reached), note };
}

function judged(reached) {
  return reached ? VERDICTS.reached : VERDICTS.short;
}

/** Half the distance of the quartiles, in per cent of the median. */
function spread({ low, high, median }) {
  return `±${((50 * (high - low)) / median).toFixed(0)} %`;
}

/** The quotient of two measurements' medians, or of what `of` takes from them; undefined when one is missing. */
export function quotient(a, b, of = ({ median }) => median) {
  return good(a) && good(b) ? of(a) / of(b) : undefined;
}

/** What a contender reported; undefined where it failed. */
export function reported(entry, name) {
  return good(entry) ? entry.report[name] : undefined;
}
