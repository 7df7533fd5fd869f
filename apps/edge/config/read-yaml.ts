import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import type { LineCounter, Node, Pair } from 'yaml';
import type { ConfigProblem } from './problem.ts';

export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A number or boolean as it stands in the file, so that `number: +4930` may still be read as text. */
export class Plain {
  readonly value: number | boolean;
  readonly source: string;

  constructor(value: number | boolean, source: string) {
    this.value = value;
    this.source = source;
  }
}

/** Values are null, string, `Plain`, arrays and maps of these. */
export type Value = null | string | Plain | readonly Value[] | ReadonlyMap<string, Value>;

export interface YamlFile {
  readonly file: string;
  readonly root: Value;
  /** Where a key (or list item) stands, by its path. */
  keyPlace(path: string): Place;
  /** Where the value of a key stands. */
  valuePlace(path: string): Place;
}

export const join = (path: string, key: string | number): string =>
  typeof key === 'number' ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;

const maximumDepth = 16;
const shownSyntaxErrors = 20;

/** Reads and parses a file of at most `maximumBytes`; anchors, aliases, tags and several documents are refused. */
export function readYamlFile(file: string, maximumBytes: number): Result<YamlFile, ConfigProblem[]> {
  const fail = (problem: string, instead: string) =>
    err([{ file, line: 0, column: 0, key: '', problem, instead }]);
  let text: string;
  try {
    const descriptor = openSync(file, 'r');
    try {
      const stat = fstatSync(descriptor);
      if (stat.isDirectory()) return fail('is a folder', 'Name a YAML file.');
      if (stat.size > maximumBytes) {
        return fail(`has ${stat.size} bytes, more than ${maximumBytes}`, 'Split it or name another file.');
      }
      const bytes = readFileSync(descriptor);
      if (bytes.length > maximumBytes) {
        return fail(`has more than ${maximumBytes} bytes`, 'Split it or name another file.');
      }
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return fail('there is no such file', 'Check the path.');
    if (code === 'EACCES') return fail('may not be read by this user', 'Change its owner or mode.');
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return fail('is not UTF-8 text', 'Save it as UTF-8.');
    return fail(`cannot be read (${code ?? String(error)})`, 'Check the path and the disk.');
  }
  return parseYaml(file, text);
}

/** Parses text that has already been bounded in size. */
export function parseYaml(file: string, text: string): Result<YamlFile, ConfigProblem[]> {
  // Loaded only where a file is to be read: the library costs 14 MB of resident memory.
  const yaml: typeof import('yaml') = createRequire(import.meta.url)('yaml');
  const lines: LineCounter = new yaml.LineCounter();
  const problems: ConfigProblem[] = [];
  const report = (offset: number, key: string, problem: string, instead: string) => {
    const at = lines.linePos(offset);
    problems.push({ file, line: at.line, column: at.col, key, problem, instead });
  };
  const deep = deepestNesting(text);
  if (deep > maximumDepth * 4) {
    return err([
      {
        file,
        line: 0,
        column: 0,
        key: '',
        problem: 'is nested too deeply',
        instead: `Use at most ${maximumDepth} levels.`,
      },
    ]);
  }
  let document: ReturnType<typeof yaml.parseDocument>;
  try {
    document = yaml.parseDocument(text, {
      lineCounter: lines,
      uniqueKeys: true,
      version: '1.2',
      prettyErrors: false,
    });
  } catch {
    return err([
      {
        file,
        line: 0,
        column: 0,
        key: '',
        problem: 'is not YAML',
        instead: 'Check its indentation and brackets.',
      },
    ]);
  }
  for (const e of document.errors.slice(0, shownSyntaxErrors)) {
    const [problem, instead] = syntaxHelp(e.code, e.message);
    report(e.pos[0], '', problem, instead);
  }
  if (problems.length > 0) return err(problems);

  const keyOffsets = new Map<string, number>();
  const valueOffsets = new Map<string, number>();
  const convert = (node: Node | null, path: string, depth: number, fallback: number): Value => {
    const offset = node?.range?.[0] ?? fallback;
    valueOffsets.set(path, offset);
    if (node === null) return null;
    if (depth > maximumDepth) {
      report(offset, path, 'is nested too deeply', `Use at most ${maximumDepth} levels.`);
      return null;
    }
    if (yaml.isAlias(node) || ('anchor' in node && node.anchor !== undefined)) {
      report(
        offset,
        path,
        'anchors and aliases (& and *) are not accepted',
        'Write the value out; put it in quotes if it is meant as text.',
      );
      return null;
    }
    if (node.tag !== undefined && !node.tag.startsWith('tag:yaml.org,2002:')) {
      report(offset, path, `the tag ${node.tag} is not accepted`, 'Write the value without a tag.');
      return null;
    }
    if (yaml.isMap(node)) {
      const map = new Map<string, Value>();
      for (const pair of node.items as Pair<Node | null, Node | null>[]) {
        const keyOffset = pair.key?.range?.[0] ?? offset;
        if (!yaml.isScalar(pair.key) || pair.key.value === null) {
          report(keyOffset, path, 'has a key that is not a name', 'Write `name: value`.');
          continue;
        }
        const key = pair.key.source ?? String(pair.key.value);
        const below = join(path, key);
        keyOffsets.set(below, keyOffset);
        map.set(key, convert(pair.value, below, depth + 1, keyOffset));
      }
      return map;
    }
    if (yaml.isSeq(node)) {
      return (node.items as (Node | null)[]).map((item, i) => {
        const below = join(path, i);
        keyOffsets.set(below, item?.range?.[0] ?? offset);
        return convert(item, below, depth + 1, offset);
      });
    }
    if (!yaml.isScalar(node) || node.value === null) return null;
    if (typeof node.value === 'string') return node.value;
    if (typeof node.value === 'number' || typeof node.value === 'boolean') {
      return new Plain(node.value, node.source ?? String(node.value));
    }
    return node.source ?? String(node.value);
  };
  const root = convert(document.contents as Node | null, '', 0, 0);
  if (problems.length > 0) return err(problems.slice(0, shownSyntaxErrors));
  const place = (offset: number | undefined): Place => {
    if (offset === undefined) return { line: 0, column: 0 };
    const at = lines.linePos(offset);
    return { line: at.line, column: at.col };
  };
  return ok({
    file,
    root,
    keyPlace: (path) => place(keyOffsets.get(path) ?? valueOffsets.get(path)),
    valuePlace: (path) => place(valueOffsets.get(path) ?? keyOffsets.get(path)),
  });
}

/** A cheap upper estimate, so that a bomb of brackets never reaches the parser, which recurses. */
function deepestNesting(text: string): number {
  let brackets = 0;
  let deepest = 0;
  let indicators = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x5b || c === 0x7b) brackets++;
    else if (c === 0x5d || c === 0x7d) brackets = Math.max(0, brackets - 1);
    // `- - - -` and `? ? ?` nest without brackets
    else if (c === 0x0a) indicators = 0;
    else if ((c === 0x2d || c === 0x3f || c === 0x3a) && text.charCodeAt(i + 1) === 0x20) indicators++;
    deepest = Math.max(deepest, brackets, indicators);
  }
  return deepest;
}

function syntaxHelp(code: string, message: string): [string, string] {
  switch (code) {
    case 'DUPLICATE_KEY':
      return ['the key is here twice', 'Keep one of the two.'];
    case 'TAB_AS_INDENT':
      return ['a tab is used for indentation', 'Indent with spaces.'];
    case 'MULTIPLE_DOCS':
      return ['there is more than one document', 'Remove everything from the second `---`.'];
    case 'BAD_ALIAS':
      return ['a value begins with `*`', 'Put the value in quotes.'];
    default:
      return [
        `is not YAML: ${message.replace(/[\r\n]+/g, ' ').slice(0, 160)}`,
        'Check indentation, brackets and quotes near here.',
      ];
  }
}
