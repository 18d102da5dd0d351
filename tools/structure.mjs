/**
 * @file Checks of the sources that no linter does, over the `src` folders of packages and examples: each file
 * opens with an `@file` paragraph, each export has a doc comment, nothing is re-exported wholesale, no
 * file has more than 400 lines and no function more than 60. Prints the sizes; exit code 1 on any finding.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync, Visitor } from 'oxc-parser';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const MAX_FILE_LINES = 400;
const MAX_FUNCTION_LINES = 60;

/** Source files below the `src` folders, as absolute paths. */
function sources() {
  const packages = readdirSync(path.join(root, 'packages')).map((name) => `packages/${name}`);
  return [...packages, 'examples'].flatMap((folder) => filesIn(path.join(root, folder, 'src')));
}

function filesIn(folder) {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

/** Line number (from 1) of an offset. */
function lineOf(text, offset) {
  return text.slice(0, offset).split('\n').length;
}

/** What is wrong with one file, and the lengths of its functions. */
function inspect(file) {
  const text = readFileSync(file, 'utf8');
  const { program, comments, errors } = parseSync(file, text);
  const findings = errors.map((error) => ({ at: 0, what: error.message }));
  const lines = text.trimEnd().split('\n').length;
  if (lines > MAX_FILE_LINES) findings.push({ at: 0, what: `${lines} lines (at most 400)` });
  if (!/^(#!.*\n)?\/\*\*\s*(\*\s*)?@file/.test(text))
    findings.push({ at: 0, what: 'does not open with /** @file … */' });
  findings.push(...exportFindings(program, comments, text));
  const functions = functionsOf(program, text);
  const long = functions.filter((found) => found.lines > MAX_FUNCTION_LINES);
  findings.push(
    ...long.map(({ at, lines: n }) => ({ at, what: `function of ${n} lines (at most 60)` })),
  );
  const name = path.relative(root, file);
  const messages = findings.map(({ at, what }) => `${name}:${lineOf(text, at)} ${what}`);
  return { lines, functions: functions.map((found) => found.lines), messages };
}

/** Exports without a doc comment, default exports, `export *`. Overloads need one comment. */
function exportFindings(program, comments, text) {
  const docs = comments.filter((comment) => comment.type === 'Block' && comment.value[0] === '*');
  const documented = new Set();
  return program.body.flatMap((statement) => {
    const at = statement.start;
    if (statement.type === 'ExportAllDeclaration') return [{ at, what: 'export *' }];
    if (statement.type === 'ExportDefaultDeclaration') return [{ at, what: 'default export' }];
    if (statement.type !== 'ExportNamedDeclaration' || !statement.declaration) return [];
    const name = nameOf(statement.declaration);
    const before = docs.find((doc) => doc.end <= at && text.slice(doc.end, at).trim() === '');
    if (before && !before.value.includes('@file')) documented.add(name);
    return documented.has(name) ? [] : [{ at, what: `export ${name} has no doc comment` }];
  });
}

function nameOf(declaration) {
  return declaration.id?.name ?? declaration.declarations?.[0]?.id.name ?? declaration.type;
}

function functionsOf(program, text) {
  const found = [];
  const visit = (node) => {
    if (!node.body) return;
    found.push({ at: node.start, lines: lineOf(text, node.end) - lineOf(text, node.start) + 1 });
  };
  new Visitor({
    FunctionDeclaration: visit,
    FunctionExpression: visit,
    ArrowFunctionExpression: visit,
  }).visit(program);
  return found;
}

function quantile(values, fraction) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))] ?? 0;
}

function main() {
  const results = sources().map(inspect);
  const files = results.map((result) => result.lines);
  const functions = results.flatMap((result) => result.functions);
  const messages = results.flatMap((result) => result.messages);
  messages.forEach((message) => console.error(message));
  const total = files.reduce((sum, lines) => sum + lines, 0);
  console.log(`${files.length} files, ${total} lines; median file ${quantile(files, 0.5)}`);
  console.log(
    `${functions.length} functions; median ${quantile(functions, 0.5)}, p90 ${quantile(functions, 0.9)} lines`,
  );
  if (messages.length) console.error(`structure: ${messages.length} findings`);
  process.exitCode = messages.length ? 1 : 0;
}

main();
