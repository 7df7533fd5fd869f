import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Bed } from './harness/bed.ts';
import { ringfenceDoes } from './harness/command.ts';
import { requestText, token } from './harness/compose.ts';
import { addresses, become, isInside, testAmongNetworks } from './harness/namespaces.ts';
import { until, within } from './harness/waiting.ts';
import { openStream } from './harness/wire.ts';

const { edge, beside, home, away, awayOutside } = addresses;
const domain = 'system.test';

/** What scanners send: one extension after the other, each in a request of its own, none with credentials. */
const probe = (name: string): string =>
  requestText({
    method: 'REGISTER',
    uri: `sip:${domain}`,
    transport: 'TCP',
    sentBy: '10.9.9.9:5060',
    from: `<sip:${name}@${domain}>;tag=${token()}`,
    to: `<sip:${name}@${domain}>`,
    more: [['Contact', `<sip:${name}@10.9.9.9:5060>`]],
  });

if (!isInside) {
  testAmongNetworks(
    'a scan from one address among phones at others, in networks of their own',
    import.meta.url,
    2,
  );

  test('the same scan from this machine is told of, and this machine is not banned for it', async () => {
    const bed = await Bed.open(
      { users: [{ name: 'alice' }] },
      { listeners: [{ name: 'tcp', transport: 'tcp', encryption: 'preferred' }] },
    );
    try {
      const wire = await openStream({ transport: 'tcp', to: bed.edge.at('tcp') });
      for (let extension = 100; extension < 112; extension += 1) wire.send(probe(String(extension)));
      const found = await bed.edge.event('threat.found');
      assert.ok(found.rule === 'scanner' || found.rule === 'enumeration', String(found.rule));
      assert.equal(found.source, '127.0.0.1');
      assert.equal(found.action, 'ban');
      const refused = await bed.edge.event('ban.refused');
      assert.equal(refused.rule, 'ban.protected-loopback');
      const listed = await ringfenceDoes(bed.home.path, ['threat', 'list', '--json']);
      const [first] = listed.trim().split('\n');
      const { parts, bits, threshold } = JSON.parse(String(first));
      assert.ok(bits >= threshold && parts.length > 0);
      const shown = await ringfenceDoes(bed.home.path, ['threat', 'list']);
      assert.match(shown, /127\.0\.0\.1 (?:looks for phone systems|tries out which extensions exist)/);
      wire.close();
      const phone = await bed.registered('alice', 'tcp');
      phone.close();
    } finally {
      await bed.close();
    }
  });
} else {
  let bed: Bed;
  before(async () => {
    become('full cone');
    const plain = { encryption: 'preferred', dangerousPlaintext: true } as const;
    bed = await Bed.open(
      { users: [{ name: 'alice' }, { name: 'bob' }] },
      {
        listeners: [
          { name: 'udp', transport: 'udp', address: edge, ...plain },
          { name: 'tcp', transport: 'tcp', address: edge, ...plain },
        ],
        more: { detection: '{ honeypots: [trap] }' },
      },
    );
  });
  after(() => bed.close());

  test('the scanner is banned within a dozen requests, hears nothing more, and phones elsewhere go on', async () => {
    const alice = await bed.registered('alice', 'tcp', { from: home });
    const wire = await openStream({ transport: 'tcp', to: bed.edge.at('tcp'), from: beside });
    for (let extension = 100; extension < 112; extension += 1) wire.send(probe(String(extension)));
    const ban = await bed.edge.event('ban.added');
    assert.equal(ban.source, beside);
    assert.match(String(ban.rule), /^threat\.(?:scanner|enumeration)$/);
    const { part1 } = ban.evidence as Record<string, string>;
    assert.match(String(part1), /^[\d.]+: It /);
    await until('the scanner is not heard any more', async () => {
      const again = await openStream({ transport: 'tcp', to: bed.edge.at('tcp'), from: beside }).catch(
        () => undefined,
      );
      if (again === undefined) return true;
      again.send(probe('alice'));
      const answer = await within(
        'an answer',
        until('one', () => again.received.length > 0),
        300,
      ).catch(() => undefined);
      again.close();
      return answer === undefined && again.received.length === 0;
    });
    assert.equal((await alice.send('OPTIONS').final).status, 401);
    await alice.register(0);
  });

  test('whoever registers as a honeypot by UDP has one socket silenced, as anybody could have forged it', async () => {
    const from = bed.edge.events.length;
    const eve = await bed.phone('trap', 'udp', { from: away });
    void eve.send('REGISTER').final.catch(() => undefined);
    const found = await bed.edge.event('threat.found', ({ rule }) => rule === 'honeypot', from);
    assert.equal(found.source, `${awayOutside}:${eve.local.port}`);
    const ban = await bed.edge.event('ban.added', undefined, from);
    assert.equal(ban.scope, 'socket');
    eve.close();
    const bob = await bed.registered('bob', 'udp', { from: away });
    await bob.register(0);
  });
}
