import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const corpora = resolve(repository, '../shared/corpora');

/** Path of a file or folder of the corpora, which lie beside the repository in `shared/corpora`. */
export const corpusPath = (relative: string): string => resolve(corpora, relative);

/** True where that file or folder (default: any corpus at all) is there. */
export const hasCorpus = (relative = '.'): boolean => existsSync(corpusPath(relative));

/** Contents of a file of the corpora. */
export const corpusFile = (relative: string): Uint8Array => readFileSync(corpusPath(relative));

/**
 * Options for a test that needs a corpus: `test('…', needsCorpus('sip/rfc4475'), () => …)`.
 *
 * Where the corpus is absent the test is skipped, and the report names what was missing.
 */
export const needsCorpus = (relative: string): { readonly skip: string | false } => ({
  skip: hasCorpus(relative) ? false : `corpus ${relative} is not beside the repository`,
});
