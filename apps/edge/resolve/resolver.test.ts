import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { it } from 'node:test';
import type { SipUri } from '@ringfence/sip/message/types.ts';
import { parseUri } from '@ringfence/sip/message/uri.ts';
import fc from 'fast-check';
import type { DnsClient } from './dns-cache.ts';
import { parseHosts } from './hosts.ts';
import { TargetFinder } from './resolver.ts';

const uriOf = (text: string): SipUri => {
  const parsed = parseUri(text);
  assert.ok(parsed.ok && (parsed.value.scheme === 'sip' || parsed.value.scheme === 'sips'));
  return parsed.value as SipUri;
};

const nothing = async (): Promise<never> => {
  throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
};
const silent: DnsClient = {
  resolve4: nothing,
  resolve6: nothing,
  resolveSrv: nothing,
  resolveNaptr: nothing,
};
const all = ['tls', 'tcp', 'udp'] as const;
const noHosts = async (): Promise<ReadonlyMap<string, readonly string[]>> => new Map();

it('RFC 3263 §4.2: addresses are answered at once', async () => {
  const finder = new TargetFinder({ transports: all, client: silent, hosts: noHosts });
  assert.deepEqual(finder.resolveNumeric(uriOf('sip:a@192.0.2.7:5070;transport=tcp')), [
    { transport: 'tcp', address: '192.0.2.7', port: 5070, serverName: '192.0.2.7' },
  ]);
  assert.deepEqual(finder.resolveNumeric(uriOf('sips:[2001:db8::7]')), [
    { transport: 'tls', address: '2001:db8::7', port: 5061, serverName: '2001:db8::7' },
  ]);
  assert.equal(finder.resolveNumeric(uriOf('sip:example.com')), undefined);
  assert.equal((await finder.resolveTarget(uriOf('sip:192.0.2.7'))).length, 1);
});

it('property: what is remembered of numeric URIs is what a new look would find', () => {
  const finder = new TargetFinder({ transports: all, client: silent, hosts: noHosts });
  const pick = fc.constantFrom;
  const text = fc.tuple(
    pick('sip', 'sips'),
    pick('192.0.2.7', '192.0.2.8', '[2001:db8::7]'),
    pick('', ':5070', ':5061'),
    pick('', ';transport=udp', ';transport=TCP', ';transport=undefined', ';transport=true', ';transport'),
    pick('', ';maddr=192.0.2.9', ';maddr', ';lr'),
  );
  fc.assert(
    fc.property(text, ([scheme, host, port, transport, maddr]) => {
      const uri = uriOf(`${scheme}:a@${host}${port}${transport}${maddr}`);
      const fresh = new TargetFinder({ transports: all, client: silent, hosts: noHosts });
      assert.deepEqual(finder.resolveNumeric(uri), fresh.resolveNumeric(uri));
      assert.deepEqual(finder.resolveNumeric(uri), fresh.resolveNumeric(uri));
    }),
    { numRuns: 600 },
  );
});

it('the hosts file goes before DNS', async () => {
  let asked = 0;
  const client = { ...silent, resolve4: async () => [`192.0.2.${++asked}`] };
  const hosts = async () =>
    parseHosts('# a comment\n127.0.0.9 Trunk.test trunk # more\n::9\ttrunk.test\nnonsense x\n');
  const finder = new TargetFinder({ transports: all, client, hosts });
  const found = await finder.resolveTarget(uriOf('sip:trunk.test:5080'));
  assert.deepEqual(
    found.map((c) => c.address),
    ['127.0.0.9', '::9'],
  );
  assert.equal(asked, 0);
});

it('answers are kept for 30 s, nothing for 5 s, in at most 1,000 entries', async () => {
  let now = 0;
  const asked: string[] = [];
  const client = {
    ...silent,
    resolve4: async (name: string) => {
      asked.push(name);
      return name === 'here.test' ? ['192.0.2.1'] : nothing();
    },
  };
  const finder = new TargetFinder({
    transports: all,
    families: [4],
    client,
    hosts: noHosts,
    clock: () => now,
  });
  const times = async (host: string): Promise<number> => {
    await Promise.all([1, 2, 3].map(() => finder.resolveTarget(uriOf(`sip:${host}:5060`))));
    return asked.filter((name) => name === host).length;
  };
  assert.deepEqual([await times('here.test'), await times('gone.test')], [1, 1]);
  now = 5_001;
  assert.deepEqual([await times('here.test'), await times('gone.test')], [1, 2]);
  now = 30_001;
  assert.equal(await times('here.test'), 2);
  for (let i = 0; i < 1500; i++) await finder.resolveTarget(uriOf(`sip:n${i}.test:5060`));
  assert.equal(await times('n1499.test'), 1);
  assert.equal(await times('n0.test'), 2, 'the oldest is forgotten');
});

it('failures are told apart', async () => {
  const broken = async (): Promise<never> => {
    throw Object.assign(new Error('timeout'), { code: 'ETIMEOUT' });
  };
  const down = new TargetFinder({
    transports: all,
    client: { resolve4: broken, resolve6: broken, resolveSrv: broken, resolveNaptr: broken },
    hosts: noHosts,
  });
  const gone = new TargetFinder({ transports: all, client: silent, hosts: noHosts });
  const why = async (finder: TargetFinder, uri: string): Promise<string> => {
    const result = await finder.resolve(uriOf(uri));
    return result.ok ? 'found' : result.error;
  };
  assert.equal(await why(down, 'sip:example.com'), 'unavailable');
  assert.equal(await why(gone, 'sip:example.com'), 'not-found');
  assert.equal(
    await why(new TargetFinder({ transports: ['udp'], client: silent }), 'sips:192.0.2.1'),
    'unsupported-transport',
  );
});

it('questions at once are bounded', async () => {
  let waiting = 0;
  const client = {
    ...silent,
    resolve4: () => {
      waiting++;
      return new Promise<string[]>((resolve) => setImmediate(() => resolve(['192.0.2.1'])));
    },
  };
  const finder = new TargetFinder({ transports: all, families: [4], client, hosts: noHosts });
  const found = await Promise.all(
    Array.from({ length: 400 }, (_, i) => finder.resolveTarget(uriOf(`sip:h${i}.test:5060`))),
  );
  assert.equal(waiting, 256);
  assert.equal(found.filter((c) => c.length === 1).length, 256);
});

/** A name server on loopback that knows one domain (RFC 1035 §4). */
const nameServer = async (zone: ReadonlyMap<string, Buffer>) => {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    let at = 12;
    const labels: string[] = [];
    while (query[at] !== 0 && query[at] !== undefined) {
      labels.push(query.toString('latin1', at + 1, at + 1 + query[at]!));
      at += query[at]! + 1;
    }
    const type = query.readUInt16BE(at + 1);
    const data = zone.get(`${type} ${labels.join('.').toLowerCase()}`);
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(data === undefined ? 0x8183 : 0x8180, 2);
    head.writeUInt16BE(data === undefined ? 0 : 1, 6);
    head.fill(0, 8);
    const record = Buffer.alloc(12);
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(type, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE(60, 6);
    record.writeUInt16BE(data?.length ?? 0, 10);
    const question = query.subarray(12, at + 5);
    socket.send(
      Buffer.concat(data === undefined ? [head, question] : [head, question, record, data]),
      from.port,
      from.address,
    );
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
};

const dnsName = (name: string): Buffer =>
  Buffer.from(
    `${name
      .split('.')
      .map((l) => String.fromCharCode(l.length) + l)
      .join('')}\0`,
    'latin1',
  );
const text = (value: string): Buffer => Buffer.from(String.fromCharCode(value.length) + value, 'latin1');

it('RFC 3263 §4.1: NAPTR, SRV and A from a real name server', async () => {
  const socket = await nameServer(
    new Map([
      [
        '35 example.test',
        Buffer.concat([
          Buffer.from([0, 10, 0, 50]),
          text('s'),
          text('SIPS+D2T'),
          text(''),
          dnsName('_sips._tcp.example.test'),
        ]),
      ],
      [
        '33 _sips._tcp.example.test',
        Buffer.concat([Buffer.from([0, 1, 0, 1, 0x13, 0xd7]), dnsName('edge1.example.test')]),
      ],
      ['1 edge1.example.test', Buffer.from([192, 0, 2, 44])],
    ]),
  );
  try {
    const client = new Resolver({ timeout: 1000, tries: 1 });
    client.setServers([`127.0.0.1:${socket.address().port}`]);
    const finder = new TargetFinder({ transports: all, client, hosts: noHosts });
    assert.deepEqual(await finder.resolveTarget(uriOf('sip:bob@example.test')), [
      { transport: 'tls', address: '192.0.2.44', port: 5079, serverName: 'example.test' },
    ]);
    assert.deepEqual(await finder.resolveTarget(uriOf('sip:bob@nowhere.test')), []);
  } finally {
    socket.close();
  }
});

it('RFC 8767 §5: where DNS does not answer any more, what was found goes on for an hour, and that is told', async () => {
  let now = 0;
  let gone = false;
  const told: boolean[] = [];
  const finder = new TargetFinder({
    transports: ['udp'],
    hosts: noHosts,
    clock: () => now,
    answered: (well) => told.push(well),
    client: {
      ...silent,
      resolve4: async () => {
        if (gone) throw Object.assign(new Error('timeout'), { code: 'ETIMEOUT' });
        return ['192.0.2.9'];
      },
    },
  });
  const look = async (): Promise<string | undefined> =>
    (await finder.resolveTarget(uriOf('sip:a@carrier.example:5060')))[0]?.address;
  assert.equal(await look(), '192.0.2.9');
  gone = true;
  assert.equal(told.includes(false), false);
  for (const minutes of [1, 30, 59]) {
    now = minutes * 60_000;
    assert.equal(await look(), '192.0.2.9', `${minutes} minutes without DNS`);
  }
  assert.ok(told.includes(false));
  now = 61 * 60_000;
  assert.equal(await look(), undefined);
  gone = false;
  now += 6_000;
  assert.equal(await look(), '192.0.2.9');
  assert.equal(told.at(-1), true);
});
