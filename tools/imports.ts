import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One import that breaks a rule, with the rule. */
export interface ImportProblem {
  readonly file: string;
  readonly line: number;
  readonly problem: string;
}

/** Floors of the house, top first: an import points down, or stays in its room. */
const floors: readonly (readonly string[])[] = [
  ['bench', 'test', 'tools'],
  ['apps/edge', 'apps/console', 'apps/assess'],
  ['apps/api'],
  ['native/relay', 'native/datagram'],
  [
    'packages/sip',
    'packages/sdp',
    'packages/rtp',
    'packages/ng',
    'packages/srtp',
    'packages/audio',
    'packages/ice',
    'packages/zrtp',
    'packages/stir',
    'packages/h323',
    'packages/vici',
    'packages/threat',
    'packages/fraud',
    'packages/ledger',
    'packages/fraud',
    'packages/tariff',
    'packages/evidence',
  ],
  ['packages/bytes'],
];

/** Rooms of one floor that may know each other all the same, and why. */
const agreed: Readonly<Record<string, string>> = {
  'test -> bench': 'system tests may use the load generators of the bench',
  'bench -> test': 'the bench starts the peers of the interop tests',
  'packages/fraud -> packages/tariff': 'fraud is judged by where calls go and what they cost',
  'tools -> test': 'test runs read the lists of tests',
  'packages/fraud -> packages/threat': 'evidence in bits has one arithmetic: Gamma-Poisson surprise',
  'native/relay -> tools': 'addons are compiled at install, before there is a program',
  'native/datagram -> tools': 'addons are compiled at install, before there is a program',
};

/** Helps tests only: it may import any package, and only tests may import it. */
const testkit = 'packages/testkit';

const extensions = /\.(?:ts|mts|mjs|js)$/;
const notOurs = new Set(['node_modules', 'build', 'data', '.git', '.cache', 'coverage']);

interface Import {
  readonly specifier: string;
  readonly line: number;
  readonly typeOnly: boolean;
  readonly lazy: boolean;
}

/** Reads the import lines of a file; comments and text in between are passed over. */
export function importsOf(source: string): Import[] {
  const found: Import[] = [];
  const code = blankComments(source);
  const pattern =
    /(?:^|[;\n])\s*(?:import|export)\s+(?<type>type\s+)?(?:[^'"`;]*?\sfrom\s*)?['"](?<fixed>[^'"\n]+)['"]|\bimport\(\s*['"](?<lazy>[^'"\n]+)['"]\s*\)|new URL\(\s*['"](?<url>\.[^'"\n]+\.(?:ts|mjs|js))['"]\s*,\s*import\.meta\.url/g;
  for (const match of code.matchAll(pattern)) {
    const { type, fixed, lazy, url } = match.groups ?? {};
    const specifier = fixed ?? lazy ?? url;
    if (specifier === undefined) continue;
    const at = match.index + match[0].lastIndexOf(specifier);
    found.push({
      specifier,
      line: code.slice(0, at).split('\n').length,
      typeOnly: type !== undefined,
      lazy: fixed === undefined,
    });
  }
  return found;
}

/** Comments become blanks, so that lines keep their numbers; quotes protect what is in them. */
function blankComments(source: string): string {
  return source.replace(
    /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
    (part) => {
      if (part.startsWith('//') || part.startsWith('/*')) return part.replace(/[^\n]/g, ' ');
      // a template, or a text with spaces, is never an import; what it quotes must not be taken for one
      return part.startsWith('`') || /\s/.test(part) ? part.replace(/[^\n]/g, ' ') : part;
    },
  );
}

/** The room that a file stands in: `packages/sip`, `apps/edge`, `tools`. */
export function roomOf(path: string): string {
  const [first = '', second = ''] = path.split('/');
  return first === 'apps' || first === 'packages' || first === 'native' ? `${first}/${second}` : first;
}

const isTest = (path: string): boolean =>
  /\.test\.(?:ts|mts|mjs)$/.test(path) ||
  /(?:^|\/)testing\//.test(path) ||
  roomOf(path) === 'test' ||
  roomOf(path) === 'bench';

/** What is wrong with an import from one room to another; undefined where it is allowed. */
export function judge(fromFile: string, toFile: string): string | undefined {
  const from = roomOf(fromFile);
  const to = roomOf(toFile);
  if (from === to) {
    return isTest(toFile) && !isTest(fromFile)
      ? `${toFile} is test code, which the program must not import`
      : undefined;
  }
  if (to === testkit) return isTest(fromFile) ? undefined : 'testkit is for tests only';
  if (from === testkit)
    return to.startsWith('packages/') ? undefined : `testkit may import packages only, not ${to}`;
  const fromFloor = floors.findIndex((rooms) => rooms.includes(from));
  const toFloor = floors.findIndex((rooms) => rooms.includes(to));
  if (fromFloor < 0 || toFloor < 0)
    return `${fromFloor < 0 ? from : to} stands on no floor; add it to the table in tools/imports.ts`;
  if (toFloor > fromFloor) return undefined;
  if (agreed[`${from} -> ${to}`] !== undefined) return undefined;
  return toFloor === fromFloor
    ? `${from} and ${to} are rooms of one floor and must not know each other`
    : `${from} stands below ${to}; imports point down only`;
}

/** Checks every source file below `root`: directions between rooms, and circles between files. */
export function checkImports(root: string): { files: number; imports: number; problems: ImportProblem[] } {
  const files = sources(root);
  const problems: ImportProblem[] = [];
  const graph = new Map<string, { to: string; line: number }[]>();
  let imports = 0;
  for (const file of files) {
    const edges: { to: string; line: number }[] = [];
    graph.set(file, edges);
    for (const { specifier, line, typeOnly, lazy } of importsOf(readFileSync(join(root, file), 'utf8'))) {
      imports += 1;
      const target = resolveImport(root, file, specifier, lazy);
      if (target === undefined) continue;
      if ('problem' in target) {
        problems.push({ file, line, problem: target.problem });
        continue;
      }
      const problem = judge(file, target.file);
      if (problem !== undefined) problems.push({ file, line, problem: `${specifier}: ${problem}` });
      // types vanish before anything runs, and what is loaded later is loaded after this file is whole
      if (!typeOnly && !lazy) edges.push({ to: target.file, line });
    }
  }
  for (const circle of circles(graph)) {
    const line = graph.get(circle[0]!)!.find(({ to }) => to === circle[1])!.line;
    problems.push({ file: circle[0]!, line, problem: `import circle: ${circle.join(' -> ')}` });
  }
  return { files: files.length, imports, problems };
}

function resolveImport(
  root: string,
  file: string,
  specifier: string,
  lazy: boolean,
): { file: string } | { problem: string } | undefined {
  let path: string;
  if (specifier.startsWith('.')) path = resolve(root, dirname(file), specifier);
  else if (specifier.startsWith('@ringfence/')) {
    const [, name = '', ...rest] = specifier.split('/');
    if (rest.length === 0) return { problem: `${specifier}: name the file, there is no barrel` };
    const room = [`packages/${name}`, `native/${name}`, `apps/${name}`].find((candidate) =>
      rooms(root).has(candidate),
    );
    if (room === undefined) return { problem: `${specifier}: there is no such workspace` };
    path = resolve(root, room, ...rest);
  } else return undefined;
  try {
    const target = relative(realpathSync(root), realpathSync(path));
    if (target.startsWith('..')) return { problem: `${specifier}: leaves the repository` };
    if (
      !lazy &&
      specifier.startsWith('.') &&
      roomOf(target) !== roomOf(file) &&
      /^(?:apps|packages|native)\//.test(target)
    ) {
      if (roomOf(file) !== 'tools')
        return {
          problem: `${specifier}: import other workspaces as @ringfence/${roomOf(target).split('/')[1]}/...`,
        };
    }
    return { file: target };
  } catch {
    return { problem: `${specifier}: there is no such file` };
  }
}

const knownRooms = new Map<string, Set<string>>();
function rooms(root: string): Set<string> {
  let known = knownRooms.get(root);
  if (known === undefined) {
    known = new Set();
    for (const floor of ['packages', 'native', 'apps']) {
      for (const name of names(join(root, floor))) known.add(`${floor}/${name}`);
    }
    knownRooms.set(root, known);
  }
  return known;
}

/** The shortest circle through each file that no circle before it named, in the order of names. */
export function circles(graph: ReadonlyMap<string, readonly { to: string }[]>): string[][] {
  const found: string[][] = [];
  const taken = new Set<string>();
  for (const start of [...graph.keys()].sort()) {
    if (taken.has(start)) continue;
    const circle = shortestWayBack(graph, start);
    if (circle === undefined) continue;
    for (const file of circle) taken.add(file);
    found.push(circle);
  }
  return found;
}

function shortestWayBack(
  graph: ReadonlyMap<string, readonly { to: string }[]>,
  start: string,
): string[] | undefined {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    for (const { to } of graph.get(at) ?? []) {
      if (to === start) {
        const way = [start];
        for (
          let step: string | undefined = at;
          step !== undefined && step !== start;
          step = cameFrom.get(step)
        )
          way.splice(1, 0, step);
        return [...way, start];
      }
      if (cameFrom.has(to) || to === start) continue;
      cameFrom.set(to, at);
      queue.push(to);
    }
  }
  return undefined;
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !notOurs.has(entry.name))
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

function sources(root: string): string[] {
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!notOurs.has(entry.name) && !entry.name.startsWith('.')) walk(path);
      } else if (extensions.test(entry.name) && !entry.name.endsWith('.d.ts')) found.push(path);
    }
  };
  for (const top of ['apps', 'native', 'packages', 'test', 'bench', 'tools']) {
    if (names(root).includes(top)) walk(top);
  }
  return found.sort();
}

/** The repository that these tools stand in. */
export const repositoryRoot = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
