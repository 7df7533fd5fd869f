import assert from 'node:assert/strict';
import { get as getSecurely } from 'node:https';
import { after, before, test } from 'node:test';
import { Bed } from './harness/bed.ts';
import { freePort } from './harness/place.ts';

const token = 'a-token-of-some-length';
let bed: Bed;
let port = 0;

before(async () => {
  port = await freePort('tcp');
  bed = await Bed.open(
    {
      users: [
        { name: 'alice', encryption: 'none' },
        { name: 'bob', encryption: 'none' },
      ],
    },
    { more: { metrics: `{ enabled: true, port: ${port}, tls: true, tokenFile: token }` } },
    (home) => home.write('token', `${token}\n`),
  );
});
after(() => bed.close());

const scrape = (path: string, authorization?: string): Promise<{ status: number; text: string }> =>
  new Promise((resolve, reject) => {
    const headers = authorization === undefined ? {} : { authorization };
    getSecurely({ host: '127.0.0.1', port, path, headers, rejectUnauthorized: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += String(chunk)));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    }).on('error', reject);
  });

test('metrics of a call are read with the token, and by nobody else', async () => {
  assert.equal((await scrape('/metrics')).status, 401);
  assert.equal((await scrape('/metrics', 'Bearer another-token-of-some-length')).status, 401);
  assert.equal((await scrape('/', `Bearer ${token}`)).status, 404);
  const pair = await bed.connect(await bed.registered('alice'), await bed.registered('bob'), 'bob');
  await pair.caller.hangUp();
  await bed.edge.event('call.ended');
  const { status, text } = await scrape('/metrics', `Bearer ${token}`);
  assert.equal(status, 200);
  assert.match(text, /^ringfence_calls 0$/m);
  assert.match(
    text,
    /^ringfence_sessions_total\{domain="system\.test",trunk="",direction="internal",outcome="completed"\} 1$/m,
  );
  assert.match(text, /^ringfence_media_up 1$/m);
  assert.match(text, /^ringfence_events_total\{event="edge\.ready",severity="notice"\} 1$/m);
  assert.match(text, /^ringfence_tls_cert_expiry_timestamp_seconds\{certificate="node"\} \d/m);
});
