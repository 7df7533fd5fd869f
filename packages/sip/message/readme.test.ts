import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { test } from 'node:test';

test('the example of the README works', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const code = stripTypeScriptTypes(`${example}\nexport { answer };`).replace(
    /from '(@ringfence[^']+)'/g,
    (_, specifier: string) => `from '${import.meta.resolve(specifier)}'`,
  );
  const module = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as {
    answer: (datagram: Uint8Array) => Uint8Array | undefined;
  };
  const head =
    'Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n';
  const status = (text: string): string | undefined => {
    const bytes = module.answer(Buffer.from(text));
    return bytes === undefined ? undefined : Buffer.from(bytes).toString().slice(8, 11);
  };
  assert.equal(status(`OPTIONS sip:b SIP/2.0\r\n${head}\r\n`), '200');
  assert.equal(status(`OPTIONS sip:b SIP/2.0\r\n${head}Require: foo\r\n\r\n`), '420');
  assert.equal(status(`OPTIONS sip:b@ SIP/2.0\r\n${head}\r\n`), '400');
  assert.equal(status(`SIP/2.0 200 OK\r\n${head}\r\n`), undefined);
  assert.equal(status('GET / HTTP/1.1\r\n\r\n'), undefined);
});
