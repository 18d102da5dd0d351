/**
 * @file Finds a key that a JSON object names twice. `JSON.parse` keeps the last of two equal keys without
 * a word; in a checkpoint that would be a tensor lost, and the format forbids it.
 */

/** The first key that appears twice at the top level of a valid JSON object, or undefined. */
export function duplicateKey(json: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  for (let i = 0; i < json.length; i++) {
    const char = json[i];
    if (char === '{' || char === '[') depth++;
    else if (char === '}' || char === ']') depth--;
    else if (char === '"') {
      const end = stringEnd(json, i);
      if (depth === 1 && isKey(json, end)) {
        const key: unknown = JSON.parse(json.slice(i, end));
        if (typeof key === 'string' && seen.has(key)) return key;
        seen.add(String(key));
      }
      i = end - 1;
    }
  }
  return undefined;
}

/** Position after the closing quote of the string that opens at `start`. */
function stringEnd(json: string, start: number): number {
  let i = start + 1;
  while (i < json.length && json[i] !== '"') i += json[i] === '\\' ? 2 : 1;
  return i + 1;
}

function isKey(json: string, end: number): boolean {
  let i = end;
  while (i < json.length && ' \t\r\n'.includes(json[i] ?? '')) i++;
  return json[i] === ':';
}
