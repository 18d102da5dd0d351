/**
 * @file Patterns of PEFT are Python regular expressions and come from files of strangers. What both
 * languages share is accepted as it stands, Python's spelling of named groups is translated, and patterns
 * whose matching could take for ever are refused.
 */
import { InputError } from '@camada/tensor';

/** No real pattern is longer; a very long one only serves to exhaust the matcher. */
const MAX_PATTERN = 2000;

/** Python's `re.fullmatch(pattern, text)` as a test. Throws `InputError` on a pattern that is not accepted. */
export function fullMatch(pattern: string, place: string): (text: string) => boolean {
  const expression = compile(`^(?:${translate(checkPattern(pattern, place))})$`, pattern, place);
  return (text) => expression.test(text);
}

/**
 * The expression `before(pattern)after`, searched from the start of the text. Throws `InputError` on a
 * pattern that is not accepted.
 */
export function anchored(before: string, pattern: string, after: string, place: string): RegExp {
  const inner = translate(checkPattern(pattern, place));
  return compile(`^${before}(?:${inner})${after}`, pattern, place);
}

/** Gives the pattern back if it is accepted. Throws `InputError` saying why not. */
export function checkPattern(pattern: string, place: string): string {
  if (pattern.length > MAX_PATTERN) {
    throw new InputError(
      `${place}: a pattern of ${pattern.length} characters; ${MAX_PATTERN} are allowed, so use a list of names.`,
    );
  }
  compile(translate(pattern), pattern, place);
  if (repeatsAmbiguously(pattern)) {
    throw new InputError(
      `${place}: the pattern "${pattern}" repeats a group that holds a repetition or a choice, which can ` +
        'take for ever to match; repeat single characters only, or use a list of names.',
    );
  }
  return pattern;
}

/** Named groups and the end of the text are spelt differently in Python. */
function translate(pattern: string): string {
  return pattern.replaceAll('(?P<', '(?<').replaceAll('\\Z', '$').replaceAll('\\A', '^');
}

function compile(source: string, pattern: string, place: string): RegExp {
  try {
    return new RegExp(source);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(
      `${place}: the pattern "${pattern}" is not valid (${reason}); correct it.`,
    );
  }
}

/** True for `(a+)*`, `(a|b)+` and their like: the usual source of exponential matching. */
function repeatsAmbiguously(pattern: string): boolean {
  const open: boolean[] = [];
  let inSet = false;
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i] ?? '';
    if (char === '\\') i++;
    else if (inSet) inSet = char !== ']';
    else if (char === '[') inSet = true;
    else if (char === '(') open.push(false);
    else if (char === '|' || repeatsAt(pattern, i)) markInner(open);
    else if (char === ')') {
      const ambiguous = open.pop() ?? false;
      if (ambiguous && repeatsAt(pattern, i + 1)) return true;
      if (ambiguous) markInner(open);
    }
  }
  return false;
}

function markInner(open: boolean[]): void {
  if (open.length > 0) open[open.length - 1] = true;
}

/** True where `*`, `+` or `{…}` stands at `i`; `?` repeats nothing. */
function repeatsAt(pattern: string, i: number): boolean {
  return /^(?:[*+]|\{\d*(?:,\d*)?\})/.test(pattern.slice(i, i + 12));
}
