/** @file Where a growing text ends, and how much of it can be shown before that is known. */

/** Text up to the first stop string. */
export interface StoppedText {
  /** What can be shown: it will not be taken back. */
  readonly text: string;
  /** Whether a stop string was found. */
  readonly ended: boolean;
}

/** Replacement character: what decoders give for a character whose bytes are not all there yet. */
const INCOMPLETE = '\uFFFD';

/**
 * A growing text before its first stop string. While there is none, the end is held back where it may be the
 * beginning of one, or half a character.
 */
export function beforeStop(text: string, stops: readonly string[]): StoppedText {
  const found = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
  if (found.length > 0) return { text: text.slice(0, Math.min(...found)), ended: true };
  const held = Math.max(0, ...stops.map((stop) => overlap(text, stop)));
  const shown = text.slice(0, text.length - held);
  return { text: withoutIncomplete(shown), ended: false };
}

/** Length of the longest end of a text that a stop string begins with. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--)
    if (text.endsWith(stop.slice(0, length))) return length;
  return 0;
}

function withoutIncomplete(text: string): string {
  let end = text.length;
  while (text[end - 1] === INCOMPLETE) end--;
  return text.slice(0, end);
}
