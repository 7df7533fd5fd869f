import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import { bundle } from './bundle.ts';
import type { PageFile } from './files.ts';

/** The thread that makes the page's files, once. */
const folder = fileURLToPath(new URL('./browser/', import.meta.url));
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
  // The types are blanked out, so that lines and columns of errors are those of the source.
  for (const name of readdirSync(folder))
    if (name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.endsWith('.d.ts'))
      files.set(`/phone/${name}`, file(javascript, stripTypeScriptTypes(read(name))));
  return files;
}

parentPort?.postMessage(makeFiles(workerData as string));
