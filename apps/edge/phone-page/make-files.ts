import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire, stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import { bundle } from './bundle.ts';
import type { PageFile } from './files.ts';

/** The thread that makes the files of the pages, once: the phone page, and the one where users confirm their phones. */
const folder = fileURLToPath(new URL('./browser/', import.meta.url));
const accountFolder = fileURLToPath(new URL('../self-service/browser/', import.meta.url));
const javascript = 'text/javascript; charset=utf-8';

const file = (type: string, text: string): PageFile => {
  const body = Buffer.from(text, 'utf8');
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  return { type, body, gzip: gzipSync(body, { level: 9 }), etag };
};

const escaped = (text: string): string => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

function makeFiles(domain: string): Map<string, PageFile> {
  const read = (name: string): string => readFileSync(`${folder}${name}`, 'utf8');
  const page = read('page.html').replace('{{domain}}', () => escaped(domain));
  const files = new Map<string, PageFile>([
    ['/phone', file('text/html; charset=utf-8', page)],
    ['/phone/page.css', file('text/css; charset=utf-8', read('page.css'))],
    ['/phone/icon.svg', file('image/svg+xml', read('icon.svg'))],
    [
      '/phone/jssip.js',
      file(
        javascript,
        bundle(
          {
            JsSIP: 'jssip',
            JsSIPDigest: 'jssip/lib/DigestAuthentication.js',
            JsSIPMessages: 'jssip/lib/SIPMessage.js',
          },
          import.meta.url,
        ),
      ),
    ],
  ]);
  addModules(files, '/phone/', folder);
  addAccountPage(files, domain);
  return files;
}

/** The types are blanked out, so that lines and columns of errors are those of the source. */
function addModules(files: Map<string, PageFile>, path: string, from: string): void {
  for (const name of readdirSync(from))
    if (name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.endsWith('.d.ts'))
      files.set(
        `${path}${name}`,
        file(javascript, stripTypeScriptTypes(readFileSync(`${from}${name}`, 'utf8'))),
      );
}

/** It looks as the phone page does, and has files of its own: a listener may serve one without the other. */
function addAccountPage(files: Map<string, PageFile>, domain: string): void {
  const read = (name: string): string => readFileSync(`${accountFolder}${name}`, 'utf8');
  const css = `${readFileSync(`${folder}page.css`, 'utf8')}\n${read('page.css')}`;
  const page = read('page.html').replace('{{domain}}', () => escaped(domain));
  files.set('/account', file('text/html; charset=utf-8', page));
  files.set('/account/page.css', file('text/css; charset=utf-8', css));
  files.set('/account/icon.svg', file('image/svg+xml', readFileSync(`${folder}icon.svg`, 'utf8')));
  const library = dirname(createRequire(import.meta.url).resolve('@simplewebauthn/browser'));
  const script = join(library, '..', 'dist', 'bundle', 'index.umd.min.js');
  files.set('/account/webauthn.js', file(javascript, readFileSync(script, 'utf8')));
  addModules(files, '/account/', accountFolder);
}

parentPort?.postMessage(makeFiles(workerData as string));
