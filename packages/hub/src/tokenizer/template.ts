/**
 * @file Where special tokens go and which segment each token belongs to, read from the post-processor of
 * `tokenizer.json`. It is applied here and not by the library, because a pair must be cut to length
 * before special tokens are added, and because the library drops the second text of byte-level models.
 * Rules: https://github.com/huggingface/tokenizers, processors `template`, `bert`, `roberta`.
 */
import { InputError } from '@camada/tensor';
import { describe, isRecord } from '../bytes/text.ts';

/** One part of a finished sequence: special tokens, or the first (`A`) or second (`B`) text. */
export type TemplatePart =
  | { readonly kind: 'special'; readonly ids: readonly number[]; readonly typeId: number }
  | { readonly kind: 'text'; readonly text: 'A' | 'B'; readonly typeId: number };

/** The parts for one text and for a pair. */
export interface Template {
  readonly single: readonly TemplatePart[];
  readonly pair: readonly TemplatePart[];
}

const text = (name: 'A' | 'B', typeId: number): TemplatePart => ({
  kind: 'text',
  text: name,
  typeId,
});
const special = (id: number, typeId: number): TemplatePart => ({
  kind: 'special',
  ids: [id],
  typeId,
});

/** No special tokens; the second text is segment 1. */
const PLAIN: Template = { single: [text('A', 0)], pair: [text('A', 0), text('B', 1)] };

/** Reads a post-processor. Throws `InputError` on one that is unknown or damaged. */
export function readTemplate(postProcessor: unknown, file: string): Template {
  if (postProcessor === null || postProcessor === undefined) return PLAIN;
  const place = `${file}: "post_processor"`;
  if (!isRecord(postProcessor)) throw broken(place, postProcessor);
  switch (postProcessor['type']) {
    case 'ByteLevel':
      return PLAIN;
    case 'BertProcessing':
      return bertTemplate(
        endToken(postProcessor['cls'], place),
        endToken(postProcessor['sep'], place),
      );
    case 'RobertaProcessing':
      return robertaTemplate(
        endToken(postProcessor['cls'], place),
        endToken(postProcessor['sep'], place),
      );
    case 'TemplateProcessing':
      return templateProcessing(postProcessor, place);
    case 'Sequence':
      return lastTemplate(postProcessor['processors'], file);
    default:
      throw broken(place, postProcessor['type']);
  }
}

function bertTemplate(cls: number, sep: number): Template {
  const single = [special(cls, 0), text('A', 0), special(sep, 0)];
  return { single, pair: [...single, text('B', 1), special(sep, 1)] };
}

/** RoBERTa has a single segment and two separators between the texts. */
function robertaTemplate(cls: number, sep: number): Template {
  const single = [special(cls, 0), text('A', 0), special(sep, 0)];
  return { single, pair: [...single, special(sep, 0), text('B', 0), special(sep, 0)] };
}

/** Of a sequence, at most one processor may add tokens; byte-level ones only move offsets. */
function lastTemplate(processors: unknown, file: string): Template {
  const place = `${file}: "post_processor"`;
  if (!Array.isArray(processors)) throw broken(place, processors);
  const templates = processors
    .map((processor) => readTemplate(processor, file))
    .filter((t) => t !== PLAIN);
  if (templates.length <= 1) return templates[0] ?? PLAIN;
  throw new InputError(
    `${place} adds special tokens in ${templates.length} steps, but one is supported; merge them into one.`,
  );
}

function endToken(value: unknown, place: string): number {
  const id: unknown = Array.isArray(value) ? value[1] : undefined;
  if (Number.isSafeInteger(id)) return Number(id);
  throw broken(place, value);
}

function templateProcessing(processor: Readonly<Record<string, unknown>>, place: string): Template {
  const tokens = processor['special_tokens'];
  const read = (items: unknown): TemplatePart[] => {
    if (!Array.isArray(items)) throw broken(place, items);
    return items.map((item) => templatePart(item, tokens, place));
  };
  return { single: read(processor['single']), pair: read(processor['pair']) };
}

function templatePart(item: unknown, tokens: unknown, place: string): TemplatePart {
  const sequence = isRecord(item) ? item['Sequence'] : undefined;
  const added = isRecord(item) ? item['SpecialToken'] : undefined;
  if (isRecord(sequence) && (sequence['id'] === 'A' || sequence['id'] === 'B')) {
    return text(sequence['id'], typeIdOf(sequence));
  }
  if (isRecord(added) && typeof added['id'] === 'string' && isRecord(tokens)) {
    const entry = tokens[added['id']];
    const ids: unknown = isRecord(entry) ? entry['ids'] : undefined;
    if (Array.isArray(ids) && ids.every((id): id is number => Number.isSafeInteger(id))) {
      return { kind: 'special', ids, typeId: typeIdOf(added) };
    }
  }
  throw broken(place, item);
}

function typeIdOf(part: Readonly<Record<string, unknown>>): number {
  const value = part['type_id'];
  return Number.isSafeInteger(value) ? Number(value) : 0;
}

function broken(place: string, value: unknown): InputError {
  return new InputError(
    `${place} holds ${describe(value)}, which is not understood; TemplateProcessing, BertProcessing, ` +
      'RobertaProcessing, ByteLevel and a Sequence of them are: save the tokenizer again with one of these.',
  );
}
