import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname } from 'node:path';

/**
 * One classic script of CommonJS modules, as a browser takes it: a table of functions and a `require` for them.
 *
 * What is reached from the entries by `require` with a text comes in, nothing else; a package's `browser` field goes
 * before its `main`. Reads files of the installation alone, and throws where one is missing.
 *
 * @param entries specifier, as `require` takes it, by the name that the page has for it on `globalThis`.
 */
export function bundle(entries: Readonly<Record<string, string>>, from: string): string {
  const numbers = new Map<string, number>();
  const modules: string[] = [];
  const take = (file: string): number => {
    const known = numbers.get(file);
    if (known !== undefined) return known;
    const number = numbers.size;
    numbers.set(file, number);
    const source = readFileSync(file, 'utf8');
    if (file.endsWith('.json')) {
      modules[number] =
        `/* ${basename(file)} */ function (module) { module.exports = ${shortJson(source)}; }`;
      return number;
    }
    const table: Record<string, number> = {};
    for (const [, specifier = ''] of source.matchAll(/\brequire\('([^'\n]+)'\)/g))
      table[specifier] ??= take(find(specifier, file));
    modules[number] =
      `/* ${basename(file)} */ Object.assign(function (module, exports, require) {\n${source}\n}, { needs: ${JSON.stringify(table)} })`;
    return number;
  };
  const globals = Object.entries(entries).map(
    ([name, specifier]) => `globalThis[${JSON.stringify(name)}] = load(${take(find(specifier, from))});`,
  );
  return `(() => {
const modules = [${modules.join(',\n')}];
const loaded = [];
const load = (number) => {
  if (loaded[number] === undefined) {
    const module = (loaded[number] = { exports: {} });
    const make = modules[number];
    make.call(module.exports, module, module.exports, (name) => load(make.needs[name]));
  }
  return loaded[number].exports;
};
${globals.join('\n')}
})();
`;
}

/** The file that a specifier means to a browser. */
function find(specifier: string, from: string): string {
  const require = createRequire(from);
  // Files, and files of packages; Node's own modules have no slash, so that `events` is the package of that name.
  if (specifier.includes('/')) return require.resolve(specifier);
  const manifest = require.resolve(`${specifier}/package.json`);
  const { browser } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly browser?: unknown };
  return createRequire(manifest).resolve(typeof browser === 'string' ? browser : `${dirname(manifest)}/`);
}

/** Name and version of a package.json are all that code reads of it; the rest is nobody's business. */
function shortJson(source: string): string {
  const { name, title, version } = JSON.parse(source) as Readonly<Record<string, unknown>>;
  return JSON.stringify({ name, title, version });
}
