import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { corpusFile, corpusPath, hasCorpus, needsCorpus } from '@ringfence/testkit/corpus.ts';
import { parseNameAddr } from './name-addr.ts';
import { parseMessage } from './parse.ts';
import { screenRequest } from './screen.ts';
import { serializeMessage } from './serialize.ts';
import type { SipRequest, SipUri } from './types.ts';

const folder = 'sip/rfc5118';

const sipUriOf = (request: SipRequest): SipUri => {
  assert.ok(request.uri.scheme === 'sip');
  return request.uri as SipUri;
};

const hostOfContact = (request: SipRequest): string => {
  const contact = parseNameAddr(request.headers.get('contact') ?? '');
  assert.ok(contact.ok && contact.value.uri.scheme === 'sip');
  return (contact.value.uri as SipUri).host;
};

const bodyText = (request: SipRequest): string => Buffer.from(request.body).toString();

/** What must hold of the request; `undefined` where it must be refused with 400. */
const cases: readonly {
  readonly section: string;
  readonly name: string;
  readonly holds: ((request: SipRequest) => void) | undefined;
}[] = [
  {
    section: '4.1',
    name: 'ipv6-good',
    holds: (r) => {
      assert.equal(sipUriOf(r).host, '2001:db8::10');
      assert.equal(sipUriOf(r).port, undefined);
      assert.equal(r.via[0]?.host, '2001:db8::9:1');
      assert.equal(hostOfContact(r), '2001:db8::1');
    },
  },
  { section: '4.2', name: 'ipv6-bad', holds: undefined },
  {
    section: '4.3',
    name: 'port-ambiguous',
    holds: (r) => {
      assert.equal(sipUriOf(r).host, '2001:db8::10:5070');
      assert.equal(sipUriOf(r).port, undefined);
    },
  },
  {
    section: '4.4',
    name: 'port-unambiguous',
    holds: (r) => {
      assert.equal(sipUriOf(r).host, '2001:db8::10');
      assert.equal(sipUriOf(r).port, 5070);
    },
  },
  {
    section: '4.5',
    name: 'via-received-param-with-delim',
    holds: (r) => assert.equal(r.via[0]?.params.get('received'), '[2001:db8::9:255]'),
  },
  {
    section: '4.5',
    name: 'via-received-param-no-delim',
    holds: (r) => assert.equal(r.via[0]?.params.get('received'), '2001:db8::9:255'),
  },
  {
    section: '4.6',
    name: 'ipv6-in-sdp',
    holds: (r) => assert.ok(bodyText(r).includes('c=IN IP6 2001:db8::20\r\n')),
  },
  {
    section: '4.7',
    name: 'mult-ip-in-header',
    holds: (r) => {
      assert.deepEqual(
        r.via.map((via) => [via.transport, via.host, via.port]),
        [
          ['UDP', '2001:db8::9:1', 6050],
          ['UDP', '192.0.2.1', undefined],
          ['TCP', '2001:db8::9:255', undefined],
        ],
      );
      assert.equal(r.via[2]?.params.get('received'), '192.0.2.200');
    },
  },
  {
    section: '4.8',
    name: 'mult-ip-in-sdp',
    holds: (r) => {
      assert.ok(bodyText(r).includes('c=IN IP4 192.0.2.1\r\n'));
      assert.ok(bodyText(r).includes('c=IN IP6 2001:db8::1\r\n'));
    },
  },
  {
    section: '4.9',
    name: 'ipv4-mapped-ipv6',
    holds: (r) => {
      assert.deepEqual(
        r.via.map((via) => [via.host, via.port]),
        [
          ['::ffff:192.0.2.10', 19823],
          ['::ffff:192.0.2.2', undefined],
        ],
      );
      assert.equal(hostOfContact(r), '::ffff:192.0.2.2');
    },
  },
  {
    section: '4.10',
    name: 'ipv6-bug-abnf-3-colons',
    holds: (r) => {
      assert.equal(sipUriOf(r).host, '2001:db8::192.0.2.1');
      assert.ok(!Buffer.from(serializeMessage(r)).includes(':::'), 'never sent on');
    },
  },
  {
    section: '4.10',
    name: 'ipv6-correct-abnf-2-colons',
    holds: (r) => assert.equal(sipUriOf(r).host, '2001:db8::192.0.2.1'),
  },
];

describe('RFC 5118 IPv6 torture messages', () => {
  let ran = 0;
  for (const { section, name, holds } of cases) {
    test(`RFC 5118 §${section} ${name}`, needsCorpus(folder), () => {
      const parsed = parseMessage(corpusFile(`${folder}/${name}`));
      if (holds === undefined) {
        assert.ok(!parsed.ok);
        assert.equal(parsed.error.respond?.status, 400);
      } else {
        assert.ok(parsed.ok && parsed.value.kind === 'request', parsed.ok ? '' : parsed.error.detail);
        holds(parsed.value);
        assert.equal(screenRequest(parsed.value), undefined);
        const again = parseMessage(serializeMessage(parsed.value));
        assert.ok(again.ok);
        assert.deepEqual(
          { ...again.value, headers: [...again.value.headers] },
          { ...parsed.value, headers: [...parsed.value.headers] },
        );
      }
      ran++;
    });
  }
  after(() => {
    if (!hasCorpus(folder)) return;
    const files = readdirSync(corpusPath(folder)).filter((file) => file !== 'expected.json');
    assert.deepEqual(cases.map((entry) => entry.name).sort(), files.sort());
    assert.equal(ran, 12);
  });
});
