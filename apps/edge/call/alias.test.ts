import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { World } from '../testing/world.ts';

/** What a trunk's OPTIONS with that in its Via makes of its connection. */
async function aliases(via: string, peerNames?: readonly string[]): Promise<string[]> {
  const world = new World({
    objects: {
      users: [user('alice')],
      trunks: [trunk('pbx', { certificateNames: ['pbx.test'], addresses: ['192.0.2.10'] })],
    },
  });
  const pbx = new Phone(world, {
    name: 'pbx',
    address: '192.0.2.10',
    transport: 'tls',
    ...(peerNames === undefined ? {} : { tls: { peerNames } }),
  });
  pbx.raw(
    [
      'OPTIONS sip:example.test SIP/2.0',
      `Via: SIP/2.0/TLS ${via}`,
      'From: <sip:pbx@pbx.test>;tag=a',
      'To: <sip:example.test>',
      'Call-ID: alias@pbx.test',
      'CSeq: 1 OPTIONS',
      'Max-Forwards: 70',
      'Content-Length: 0',
      '\r\n',
    ].join('\r\n'),
  );
  await world.run(100);
  assert.match(world.sentTo('192.0.2.10')[0] ?? '', /^SIP\/2\.0 200 /);
  return world.network.aliases;
}

test('RFC 5923 §4: alias in the Via of a trunk that its certificate has proven is heard, and of nobody else', async () => {
  const branch = 'branch=z9hG4bKalias';
  assert.deepEqual(await aliases(`pbx.test:5071;${branch};alias`, ['pbx.test']), ['pbx.test:5071']);
  assert.deepEqual(await aliases(`pbx.test;${branch};alias`, ['pbx.test']), ['pbx.test:5061']);
  assert.deepEqual(await aliases(`pbx.test:5071;${branch}`, ['pbx.test']), []);
  // Known by its address alone.
  assert.deepEqual(await aliases(`pbx.test:5071;${branch};alias`), []);
});
