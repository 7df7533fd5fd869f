import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { groupList } from './tls-context.ts';
import { groupOfSession } from './tls-group.ts';
import { alternativeNames, peerNames, provesSipDomain } from './tls-identity.ts';

it('RFC 5922 §7.1: sip URIs are the identity, DNS names only without them', () => {
  const both = 'DNS:host.example.com, URI:sip:example.com, URI:https://web.example.com';
  assert.equal(provesSipDomain('example.com', both), true);
  assert.equal(provesSipDomain('EXAMPLE.com.', both), true);
  assert.equal(provesSipDomain('host.example.com', both), false);
  assert.equal(provesSipDomain('web.example.com', both), false);
  assert.equal(
    provesSipDomain('host.example.com', 'DNS:host.example.com, URI:https://host.example.com'),
    true,
  );
  assert.equal(provesSipDomain('example.com', 'URI:sip:bob@example.com'), false);
  assert.equal(provesSipDomain('example.com', 'URI:sip:example.com;transport=tls'), true);
  assert.equal(provesSipDomain('example.com', 'email:bob@example.com, othername:<unsupported>'), false);
  assert.equal(provesSipDomain('example.com', undefined), false);
  assert.equal(provesSipDomain('', 'DNS:'), false);
});

it('RFC 5922 §7.2, S10: no wildcards, no suffixes', () => {
  for (const name of ['*.example.com', 'example.com.evil.test', 'xexample.com', '.example.com']) {
    assert.equal(provesSipDomain('a.example.com', `DNS:${name}`), false);
    assert.equal(provesSipDomain('example.com', `DNS:${name}`), false);
  }
});

it('numeric targets are proven by address names alone, in any writing', () => {
  assert.equal(provesSipDomain('192.0.2.1', 'IP Address:192.0.2.1, URI:sip:example.com'), true);
  assert.equal(provesSipDomain('192.0.2.1', 'DNS:192.0.2.1'), false);
  assert.equal(provesSipDomain('2001:db8::1', 'IP Address:2001:DB8:0:0:0:0:0:1'), true);
  assert.equal(provesSipDomain('2001:db8::1', 'IP Address:2001:DB8:0:0:0:0:0:2'), false);
});

it('CVE-2021-44532: a name with a comma or a quote in it is one name', () => {
  const text = 'URI:"sip:a.test\\u002c DNS:victim.test", DNS:b.test, DNS:"x\\"y"';
  assert.deepEqual(alternativeNames(text), [
    { type: 'URI', value: 'sip:a.test, DNS:victim.test' },
    { type: 'DNS', value: 'b.test' },
    { type: 'DNS', value: 'x"y' },
  ]);
  assert.equal(provesSipDomain('victim.test', text), false);
  assert.deepEqual(peerNames('DNS:a, IP Address:192.0.2.1, URI:sip:b, email:c@d'), ['a', 'sip:b']);
});

it('names and sessions of any content are read without throwing', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii' }), (text) => {
      alternativeNames(text);
      provesSipDomain(text, `DNS:a, URI:"${text}`);
    }),
    { numRuns: 1000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      groupOfSession(bytes);
      groupOfSession(Uint8Array.from([0x30, bytes.length, ...bytes]));
    }),
    { numRuns: 2000 },
  );
});

it('the group of a session is told only where it stands, and never guessed', () => {
  const session = (...fields: readonly number[]): Uint8Array =>
    Uint8Array.from([0x30, fields.length, ...fields]);
  assert.equal(groupOfSession(session(2, 1, 1, 0xb3, 4, 2, 2, 0x11, 0xec)), 'X25519MLKEM768');
  assert.equal(groupOfSession(session(0xb3, 3, 2, 1, 0x1d)), 'X25519');
  assert.equal(groupOfSession(session(0xb3, 4, 2, 2, 0x0a, 0x0b)), '0x0a0b');
  assert.equal(groupOfSession(session(0xb3, 3, 2, 1, 0)), undefined);
  assert.equal(groupOfSession(session(2, 1, 1)), undefined);
  assert.equal(groupOfSession(session(0xb3, 4, 4, 2, 0x11, 0xec)), undefined);
  assert.equal(
    groupOfSession(session(0x04, 6, 0xb3, 4, 2, 2, 0x11, 0xec)),
    undefined,
    'inside another field it is no group',
  );
});

it('hybrid groups stand before all others for OpenSSL, and lists in its own syntax are left alone', () => {
  assert.equal(groupList('X25519MLKEM768:X25519:P-256:P-384'), '*X25519MLKEM768/*X25519:P-256:P-384');
  assert.equal(groupList('X25519:P-256'), 'X25519:P-256');
  assert.equal(groupList('X25519:X25519MLKEM768'), 'X25519:X25519MLKEM768');
  assert.equal(groupList('X25519MLKEM768'), 'X25519MLKEM768');
  assert.equal(groupList('?X25519MLKEM768/X25519'), '?X25519MLKEM768/X25519');
});
