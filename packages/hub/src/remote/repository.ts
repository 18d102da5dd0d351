/** @file What a model on a hub is called: `ORG/NAME`, with a revision, or one GGUF file of it. */
import { InputError } from '@camada/tensor';

/** A model on a hub. */
export interface Repository {
  /** `ORG/NAME`. */
  readonly name: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
  /** The one GGUF file that is meant; undefined for the whole model. */
  readonly file: string | undefined;
}

const WORD = '[A-Za-z0-9][A-Za-z0-9._-]*';
const NAME = new RegExp(`^(${WORD}/${WORD})(?:/(${WORD}\\.gguf))?(?:@(.+))?$`);

/** Whether a text has the form `ORG/NAME`, `ORG/NAME@REVISION` or `ORG/NAME/FILE.gguf`. */
export function isRepositoryName(text: string): boolean {
  return NAME.test(text);
}

/** Reads the name of a model on a hub. Throws `InputError` on other forms and on revisions that are none. */
export function parseRepository(text: string): Repository {
  const [, name, file, revision = 'main'] = NAME.exec(text) ?? [];
  if (name === undefined)
    throw new InputError(
      `"${text}" is no name of a model; ORG/NAME, ORG/NAME@REVISION and ORG/NAME/FILE.gguf are.`,
    );
  return { name, file, revision: checkRevision(revision) };
}

/** A revision is used in a path: it may have slashes (`refs/pr/1`), but leads nowhere else. */
function checkRevision(revision: string): string {
  const parts = revision.split('/');
  if (parts.every((part) => /^[A-Za-z0-9._-]+$/.test(part) && !/^\.+$/.test(part))) return revision;
  throw new InputError(
    `The revision "${revision}" is no branch, tag or commit; letters, digits, ".", "_", "-" and "/" are allowed.`,
  );
}
