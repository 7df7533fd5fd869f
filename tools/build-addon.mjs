// Compiles the native addons at install. Plain JavaScript, as it may run under a Node that does not strip types.
// A missing compiler does not fail the install: the daemon then says the same thing when it needs the addon.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';

const flags = [
  '-std=c++20',
  '-O2',
  '-fPIC',
  '-fvisibility=hidden',
  '-Wall',
  '-Wextra',
  '-Wshadow',
  '-Wconversion',
  '-DOPENSSL_SUPPRESS_DEPRECATED',
  '-D_GLIBCXX_ASSERTIONS',
  '-fstack-protector-strong',
  '-fstack-clash-protection',
];
const hardening = ['-U_FORTIFY_SOURCE', '-D_FORTIFY_SOURCE=2'];
const linking = ['-shared', '-pthread', '-Wl,-z,relro,-z,now,-z,noexecstack'];

const advice = (
  addon,
) => `Ringfence's ${addon.what} is not built: it needs a C++20 compiler and the headers of Node.
  Debian, Ubuntu   apt-get install g++ libnode-dev
  Fedora, RHEL     dnf install gcc-c++ nodejs-devel
  Alpine           apk add g++ linux-headers nodejs-dev
or set CXX to a compiler and npm_config_nodedir to a folder that has include/node.
Then run: npm rebuild ${addon.package}`;

/** Compilers to try, the first that runs wins. */
export function findCompiler() {
  for (const name of [process.env.CXX, 'c++', 'g++', 'clang++']) {
    if (name && spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0) return name;
  }
  return undefined;
}

/** A folder with node_api.h and the OpenSSL headers of Node. */
export function findHeaders() {
  const beside = (executable) => join(dirname(executable), '..', 'include', 'node');
  const roots = [
    process.env.npm_config_nodedir && join(process.env.npm_config_nodedir, 'include', 'node'),
    beside(process.execPath),
    process.env.npm_node_execpath && beside(process.env.npm_node_execpath),
    '/usr/include/node',
    '/usr/local/include/node',
    '/usr/include/nodejs/src',
  ];
  for (const cache of [process.env.npm_config_devdir, join(homedir(), '.cache', 'node-gyp')]) {
    if (!cache || !existsSync(cache)) continue;
    for (const version of readdirSync(cache).sort().reverse())
      roots.push(join(cache, version, 'include', 'node'));
  }
  // Some distributions keep OpenSSL's headers in the system's own folder.
  return roots.find(
    (root) =>
      root &&
      existsSync(join(root, 'node_api.h')) &&
      (existsSync(join(root, 'openssl', 'evp.h')) || existsSync('/usr/include/openssl/evp.h')),
  );
}

function fingerprint(sources, compiler, headers, extra) {
  const hash = createHash('sha256');
  for (const name of readdirSync(sources).sort()) hash.update(name).update(readFileSync(join(sources, name)));
  hash.update(JSON.stringify([compiler, headers, flags, hardening, linking, extra, process.arch]));
  return hash.digest('hex');
}

const run = (command, args) =>
  new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    child.on('error', (error) => resolve({ code: 1, output: error.message }));
    child.on('close', (code) => resolve({ code, output }));
  });

/**
 * Compiles all sources of an addon into `target`, unless it is there and was made from the same sources.
 *
 * `addon` is `{ what, package, sources }`. Gives `{ built, problem }`: `problem` is a text for the administrator,
 * absent when the file is good.
 */
export async function buildAddon(addon, target, { sanitize = '' } = {}) {
  const { sources } = addon;
  const compiler = findCompiler();
  const headers = findHeaders();
  const stamp = `${target}.sha256`;
  if (!compiler || !headers) {
    const missing = [
      compiler ? '' : 'no C++ compiler was found',
      headers ? '' : "Node's headers were not found",
    ];
    return { built: false, problem: `${advice(addon)}\n(${missing.filter(Boolean).join('; ')})` };
  }
  const extra = sanitize
    ? [`-fsanitize=${sanitize}`, '-fno-omit-frame-pointer', '-g1', '-O1', '-U_FORTIFY_SOURCE']
    : hardening;
  const wanted = fingerprint(sources, compiler, headers, extra);
  if (existsSync(target) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted)
    return { built: false };

  const scratch = `${target}.${process.pid}.objects`;
  mkdirSync(scratch, { recursive: true });
  try {
    const names = readdirSync(sources).filter((name) => name.endsWith('.cc'));
    const objects = names.map((name) => join(scratch, `${name}.o`));
    const queue = names.map((name, i) => [
      ...flags,
      ...extra,
      '-isystem',
      headers,
      '-c',
      join(sources, name),
      '-o',
      objects[i],
    ]);
    const failures = [];
    const work = async () => {
      for (let args = queue.shift(); args; args = queue.shift()) {
        const { code, output } = await run(compiler, args);
        if (output.trim()) process.stderr.write(output);
        if (code !== 0) failures.push(output);
      }
    };
    await Promise.all(Array.from({ length: Math.min(availableParallelism(), queue.length) }, work));
    const linked =
      failures.length === 0 &&
      (await run(compiler, [...linking, ...extra, ...objects, '-o', join(scratch, basename(target))]));
    if (linked?.code !== 0) {
      return {
        built: false,
        problem: `${advice(addon)}\n(${compiler} failed:\n${linked ? linked.output : failures.join('\n')})`,
      };
    }
    renameSync(join(scratch, basename(target)), target);
    writeFileSync(stamp, wanted);
    return { built: true };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Builds into the folder `build` beside the caller, and leaves a text there where that was not possible. */
export async function install(addon, folder, file) {
  mkdirSync(folder, { recursive: true });
  const problemFile = join(folder, 'problem.txt');
  rmSync(problemFile, { force: true });
  const { problem } =
    process.platform === 'linux'
      ? await buildAddon(addon, join(folder, file))
      : { problem: `Ringfence's ${addon.what} runs on Linux only.` };
  if (problem) {
    writeFileSync(problemFile, problem);
    process.stderr.write(`\nWARNING: ${problem}\n\n`);
  }
}
