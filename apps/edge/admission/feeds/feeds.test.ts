import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { BanSettings, type FeedSettings } from '../../config/bans.ts';
import { defaultsOf, Report } from '../../config/validate.ts';
import type { EdgeEvent } from '../../events/types.ts';
import { Bans } from '../bans/bans.ts';
import { Protection } from '../bans/protection.ts';
import { Feeds } from './feeds.ts';
import { fetchFeed, mostFeedOctets } from './fetch-feed.ts';
import { BanPublisher } from './publish.ts';
import { readFeed, usableEntry } from './read-feed.ts';

const place = mkdtempSync(join(tmpdir(), 'rf-feeds-'));
after(() => rmSync(place, { recursive: true, force: true }));

const make = () => {
  const events: EdgeEvent[] = [];
  const protection = new Protection({ isTrunk: () => false, resolved: () => [] });
  const bans = new Bans({
    settings: defaultsOf(BanSettings, new Report('')) as BanSettings,
    protection,
    now: () => 1_700_000_000_000,
    emit: (event) => events.push(event),
    isRegistered: () => false,
  });
  const banned = (address: string): string => bans.find(address, 5060, 1_700_000_000_000)?.by ?? 'none';
  return { events, protection, bans, banned };
};

const feed = (more: Partial<FeedSettings>): FeedSettings => ({
  name: 'f',
  refreshSeconds: 3600,
  staleSeconds: 86_400,
  maximum: 1000,
  ...more,
});

const until = async (holds: () => boolean): Promise<void> => {
  for (let i = 0; i < 2000 && !holds(); i++) await new Promise((done) => setTimeout(done, 2));
  assert.ok(holds());
};

describe('feeds: reading', () => {
  const entries = (content: string, most = 100): readonly string[] => {
    const read = readFeed(content, most);
    return read.ok ? read.value.entries : [read.error];
  };

  it('plain lists with comments, APIBAN, lists of texts and of objects', () => {
    assert.deepEqual(entries('# bad\n192.0.2.1\r\n\n 2001:db8::/48 ; x\n198.51.100.0/24 # y\n'), [
      '192.0.2.1',
      '2001:db8::/48',
      '198.51.100.0/24',
    ]);
    assert.deepEqual(entries('{"ipaddress":["192.0.2.1","192.0.2.2"],"ID":"1700000000"}'), [
      '192.0.2.1',
      '192.0.2.2',
    ]);
    assert.deepEqual(entries('["192.0.2.1", 7, null]'), ['192.0.2.1']);
    assert.deepEqual(entries('{"data":[{"ip":"192.0.2.1","score":3},{"cidr":"192.0.2.0/24"},{}]}'), [
      '192.0.2.1',
      '192.0.2.0/24',
    ]);
    assert.deepEqual(entries('{"a":1}'), ['its JSON holds no list of addresses']);
    assert.deepEqual(entries('[1,'), ['it begins like JSON, but is none']);
  });

  it('bounded in entries; what may not be banned is no entry', () => {
    const many = Array.from({ length: 500 }, (_, i) => `203.0.113.${i % 256}`).join('\n');
    const read = readFeed(many, 100);
    assert.ok(read.ok && read.value.entries.length === 100 && read.value.left === 400);
    for (const bad of [
      '0.0.0.0/0',
      '::/0',
      '8.0.0.0/8',
      '10.1.2.3',
      '127.0.0.1',
      '192.168.1.0/24',
      '::1',
      'fe80::1',
      'x',
      '1.2.3.4/33',
    ])
      assert.equal(usableEntry(bad), undefined, bad);
    for (const good of ['203.0.113.1', '203.0.0.0/16', '2001:db8::/32']) assert.ok(usableEntry(good), good);
  });

  it('property: no content throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.string().map((s) => `{"ipaddress":["${s}"]}`),
        ),
        (content) => {
          const read = readFeed(content, 10);
          if (read.ok) for (const entry of read.value.entries) usableEntry(entry);
        },
      ),
    );
  });
});

describe('feeds: over HTTP and from files', () => {
  const serve = async (answer: RequestListener): Promise<{ url: string; close: () => void }> => {
    const server = createServer(answer);
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    return { url: `http://127.0.0.1:${port}/list`, close: () => server.close() };
  };

  it('a feed is banned, protected addresses in it are not; the same again is not read anew', async () => {
    const asked: (string | undefined)[] = [];
    const { url, close } = await serve((request, response) => {
      asked.push(request.headers['if-none-match']);
      if (request.headers['if-none-match'] === '"1"') return void response.writeHead(304).end();
      response.writeHead(200, { etag: '"1"' }).end('203.0.113.1\n203.0.113.2\n10.0.0.1\n');
    });
    const { bans, banned, protection, events } = make();
    protection.allow(['203.0.113.2']);
    const feeds = new Feeds({ bans, emit: (event) => events.push(event), now: Date.now });
    feeds.configure([feed({ url, refreshSeconds: 0.05 })]);
    await until(() => asked.length >= 2);
    assert.equal(asked[1], '"1"');
    assert.equal(banned('203.0.113.1'), 'feed:f');
    assert.equal(banned('203.0.113.2'), 'none');
    assert.equal(banned('203.0.113.3'), 'none');
    assert.deepEqual(events, [{ type: 'feed.loaded', feed: 'f', addresses: 2, skipped: 1 }]);
    feeds.configure([]);
    assert.equal(banned('203.0.113.1'), 'none');
    feeds.stop();
    close();
  });

  it('a feed that fails keeps what it had, until that is stale', async () => {
    let fails = false;
    let now = 0;
    const { bans, banned, events } = make();
    const feeds = new Feeds({
      bans,
      emit: (event) => events.push(event),
      now: () => now,
      fetch: () =>
        Promise.resolve(
          fails
            ? { ok: false, error: 'no answer' }
            : { ok: true, value: { content: '203.0.113.1', tag: '' } },
        ),
    });
    feeds.configure([feed({ refreshSeconds: 0.01, staleSeconds: 100 })]);
    await until(() => banned('203.0.113.1') === 'feed:f');
    fails = true;
    await until(() => events.some(({ type }) => type === 'feed.failed'));
    assert.equal(banned('203.0.113.1'), 'feed:f');
    now = 100_000;
    await until(() => events.some((event) => event.type === 'feed.failed' && event.stale));
    assert.equal(banned('203.0.113.1'), 'none');
    feeds.stop();
  });

  it('redirections are not followed, other statuses and endless answers are refused', async () => {
    const { url, close } = await serve((request, response) => {
      if (request.url === '/list') return void response.writeHead(302, { location: '/other' }).end();
      response.writeHead(200);
      const more = (): void => {
        if (!response.destroyed && response.write('203.0.113.1 '.repeat(50_000))) setImmediate(more);
      };
      response.on('drain', more);
      more();
    });
    assert.deepEqual(await fetchFeed({ url }, ''), { ok: false, error: 'its server answers 302' });
    const endless = await fetchFeed({ url: url.replace('list', 'endless') }, '');
    assert.deepEqual(endless, { ok: false, error: `it has more than ${mostFeedOctets} octets` });
    const file = join(place, 'feed.txt');
    writeFileSync(file, '203.0.113.9\n');
    const read = await fetchFeed({ file }, '');
    assert.ok(read.ok && read.value.content === '203.0.113.9\n');
    assert.equal((await fetchFeed({ file: join(place, 'none') }, '')).ok, false);
    close();
  });
});

describe('feeds: what the edge publishes', () => {
  it('a list, JSON that a feed reads, and a line for fail2ban; sockets that may be forged are in none', async () => {
    const { bans } = make();
    const at = { list: join(place, 'list'), json: join(place, 'json'), log: join(place, 'log') };
    const publisher = new BanPublisher(
      at,
      bans,
      () => 1_700_000_000_000,
      (error) => assert.fail(String(error)),
    );
    const ask = (source: string, spoofable: boolean) =>
      bans.propose({ source, cause: 'scan', rule: 'threat.scan', evidence: {}, spoofable, by: 'detection' });
    ask('203.0.113.1', false);
    ask('2001:db8::1', false);
    ask('203.0.113.2:5060', true);
    await publisher.stop();
    assert.deepEqual(readFileSync(at.list, 'utf8').split('\n').slice(1), [
      '203.0.113.1',
      '2001:db8:0:0::/64',
      '',
    ]);
    const read = readFeed(readFileSync(at.json, 'utf8'), 10);
    assert.deepEqual(read.ok && read.value.entries, ['203.0.113.1', '2001:db8:0:0::/64']);
    const log = readFileSync(at.log, 'utf8').split('\n');
    assert.equal(log.length, 3);
    assert.match(
      log[0]!,
      /^2023-11-14T22:13:20\.000Z ringfence: Blocking traffic from 203\.0\.113\.1 for 600 s/,
    );
  });
});
