/**
 * @file Conversations as the text that a model was trained on: the template of its tokenizer (Jinja), rendered by
 * `@huggingface/jinja` with the variables that Transformers gives it.
 */
import { InputError } from '@camada/tensor';
import { Template } from '@huggingface/jinja';
import { isRecord, type JsonRecord } from '../bytes/text.ts';

/** One turn; templates may read other fields too (`tool_calls`). */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, or what the template knows. */
  readonly role: string;
  readonly content: string;
  readonly [field: string]: unknown;
}

/** How a conversation is rendered. */
export interface ChatOptions {
  /** Ends with the beginning of the assistant's turn, so that generation answers; true unless told. */
  readonly addGenerationPrompt?: boolean;
  /** Which of several templates, by name; `default`, or `tool_use` where tools are given. */
  readonly template?: string;
  /** Functions that the model may call, as JSON schemas. */
  readonly tools?: readonly JsonRecord[];
  /** Further variables of the template. */
  readonly variables?: JsonRecord;
}

/** Renders conversations. */
export interface ChatRenderer {
  /** The default template; undefined where the tokenizer has none. */
  readonly template: string | undefined;
  /** The text of a conversation. Throws `InputError` where there is no template, or the template refuses it. */
  render(messages: readonly ChatMessage[], options?: ChatOptions): string;
}

/** The templates of a tokenizer's configuration. Throws `InputError` when one is damaged. */
export function chatRenderer(config: JsonRecord, file: string): ChatRenderer {
  const templates = readTemplates(config['chat_template'], file);
  const parsed = new Map<string, Template>();
  return {
    template: templates.get('default'),
    render(messages, options = {}) {
      const name =
        options.template ?? (options.tools && templates.has('tool_use') ? 'tool_use' : 'default');
      const source = templates.get(name);
      if (source === undefined) throw noTemplate(name, templates, file);
      const template = parsed.get(name) ?? parse(source, file);
      parsed.set(name, template);
      return renderWith(template, variables(messages, options, config), file);
    },
  };
}

/** A template, or several with names. */
function readTemplates(value: unknown, file: string): ReadonlyMap<string, string> {
  if (value === undefined || value === null) return new Map();
  if (typeof value === 'string') return new Map([['default', value]]);
  const list = Array.isArray(value) ? value.filter(isRecord) : [];
  const pairs = list.flatMap(({ name, template }) =>
    typeof name === 'string' && typeof template === 'string' ? [[name, template] as const] : [],
  );
  if (pairs.length > 0) return new Map(pairs);
  throw new InputError(
    `${file}: "chat_template" must be a text or a list of names and templates; correct tokenizer_config.json.`,
  );
}

function noTemplate(
  name: string,
  templates: ReadonlyMap<string, string>,
  file: string,
): InputError {
  const known = [...templates.keys()].join(', ') || 'none';
  return new InputError(
    `${file} has no chat template "${name}" (it has ${known}); take a model that was trained to chat, or write the prompt yourself.`,
  );
}

function parse(source: string, file: string): Template {
  try {
    return new Template(source);
  } catch (error) {
    throw refused(error, file);
  }
}

/** What Transformers gives a template: the turns, the tools, and the texts of the special tokens. */
function variables(
  messages: readonly ChatMessage[],
  { addGenerationPrompt = true, tools, variables: more }: ChatOptions,
  config: JsonRecord,
): Record<string, unknown> {
  const tokens: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(config)) {
    const content = isRecord(value) ? value['content'] : value;
    if (key.endsWith('_token') && typeof content === 'string') tokens[key] = content;
  }
  return {
    ...tokens,
    messages,
    add_generation_prompt: addGenerationPrompt,
    ...(tools && { tools }),
    ...more,
  };
}

function renderWith(template: Template, values: Record<string, unknown>, file: string): string {
  try {
    return template.render(values);
  } catch (error) {
    throw refused(error, file);
  }
}

function refused(error: unknown, file: string): InputError {
  const reason = error instanceof Error ? error.message.replaceAll(/\s+/g, ' ') : String(error);
  return new InputError(
    `${file}: the chat template cannot be used: ${reason.replace(/\.$/, '')}.`,
    {
      cause: error,
    },
  );
}
