import assert from 'node:assert/strict';
import { test } from 'node:test';
import { httpReceiver } from '../exports/testing/receivers.ts';
import { isOutside } from './outside.ts';
import { post } from './post.ts';

test('only public addresses are outside, however they are written', () => {
  const inside = [
    ['127.0.0.1', '10.1.2.3', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0'],
    ['224.0.0.1', '255.255.255.255', '192.0.2.1', '198.18.0.1', '::', '::1', 'fe80::1', 'fe80::1%eth0'],
    ['fd00::1', 'ff02::1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::127.0.0.1', '64:ff9b::7f00:1'],
    ['2002:7f00:1::', '2001:0:4136:e378::1', '2001:db8::1', 'fec0::1', '100::1', 'localhost', ''],
  ].flat();
  for (const address of inside) assert.equal(isOutside(address), false, address);
  for (const address of ['8.8.8.8', '1.1.1.1', '2606:4700::1111', '2a00:1450:4001:80e::200e'])
    assert.equal(isOutside(address), true, address);
});

test('a webhook reaches no inside address, by any spelling or answer of DNS', async () => {
  const receiver = await httpReceiver();
  const to = (url: string, resolve?: (host: string) => Promise<readonly string[]>): Promise<void> =>
    post({ url, headers: {}, body: '', inside: false, ...(resolve === undefined ? {} : { resolve }) });
  const { port } = receiver;
  for (const host of [
    '127.0.0.1',
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '127.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    'localhost',
  ])
    await assert.rejects(to(`https://${host}:${port}/`), /an inside address/, host);
  await assert.rejects(
    to(`https://hook.example.com:${port}/`, () => Promise.resolve(['8.8.8.8', '10.0.0.1'])),
    /hook\.example\.com is 10\.0\.0\.1, an inside address/,
  );
  await assert.rejects(
    to(`https://hook.example.com:${port}/`, () => Promise.resolve([])),
    /no address/,
  );
  for (const url of [`http://127.0.0.1:${port}/`, 'file:///etc/passwd', 'nonsense'])
    await assert.rejects(to(url), /not https/, url);
  assert.equal(receiver.got.length, 0);
  await receiver.close();
});

test('where inside is allowed it arrives; a redirection is a failure and is not followed', async () => {
  const target = await httpReceiver();
  const receiver = await httpReceiver(({ path }) =>
    path === '/moved' ? { status: 307, headers: { location: `http://127.0.0.1:${target.port}/` } } : 204,
  );
  const to = (path: string): Promise<void> =>
    post({ url: `http://127.0.0.1:${receiver.port}${path}`, headers: { a: 'b' }, body: 'x', inside: true });
  await to('/here?q=1');
  assert.deepEqual([receiver.got[0]?.path, receiver.got[0]?.body], ['/here?q=1', 'x']);
  await assert.rejects(to('/moved'), /answers 307/);
  assert.equal(target.got.length, 0);
  await Promise.all([receiver.close(), target.close()]);
});
