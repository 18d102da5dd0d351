/** @file The text of a prompt's continuation while its tokens come. */
import type { Tokenizer } from '@camada/hub';
import { beforeStop } from '@camada/nn';

/** Tokens of the prompt that are decoded with the new ones; enough for any character. */
const LEAD = 16;

/** A prompt and the new text so far. */
export class GrowingText {
  /** Ids of the prompt. */
  readonly prompt: readonly number[];
  readonly #tokenizer: Tokenizer;
  readonly #stops: readonly string[];
  #tokens: readonly number[] = [];
  #shown = '';
  #ended = false;

  /** @param stops the text ends before the first of these. */
  constructor(tokenizer: Tokenizer, prompt: readonly number[], stops: readonly string[]) {
    this.prompt = prompt;
    this.#tokenizer = tokenizer;
    this.#stops = stops;
  }

  /** Ids of the new tokens. */
  get tokens(): readonly number[] {
    return this.#tokens;
  }

  /** The part of the new text that no later token can change. */
  get shown(): string {
    return this.#shown;
  }

  /** All of the new text, without the stop string. */
  get text(): string {
    return this.#ended ? this.#shown : this.#decoded();
  }

  /** Takes all new tokens; true when a stop string ends the text. */
  grow(tokens: readonly number[]): boolean {
    this.#tokens = [...tokens];
    const { text, ended } = beforeStop(this.#decoded(), this.#stops);
    this.#shown = text;
    this.#ended = ended;
    return ended;
  }

  /** Decodes with the prompt's end in front: decoders drop the space before a first word. */
  #decoded(): string {
    const lead = this.prompt.slice(-LEAD);
    const decode = (ids: readonly number[]): string =>
      this.#tokenizer.decode(ids, { skipSpecialTokens: true });
    return decode([...lead, ...this.#tokens]).slice(decode(lead).length);
  }
}
