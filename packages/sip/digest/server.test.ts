import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import fc from 'fast-check';
import { parseAuthParams } from '../message/auth-params.ts';
import { type DigestAlgorithm, digestAlgorithms } from './algorithm.ts';
import { type AnswerInput, answer } from './client.ts';
import { ha1 } from './ha1.ts';
import { DigestServer, type DigestServerOptions, type VerifyInput } from './server.ts';

const realm = 'example.com';
const source = '192.0.2.7';
const key = new SeededRandom(1).bytes(32);
const noBody = new Uint8Array(0);

const lookup: VerifyInput['lookup'] = (username, inRealm, algorithm) =>
  username === 'alice' ? ha1(algorithm, 'alice', inRealm, 'secret') : undefined;

const make = (options: Partial<DigestServerOptions> = {}): DigestServer =>
  new DigestServer({ key, nonceLifetimeMs: 60_000, maxNonces: 1000, ...options });

const credentials = (challenges: readonly string[], input: Partial<AnswerInput> = {}): string => {
  const answered = answer(challenges, {
    method: 'REGISTER',
    uri: 'sip:example.com',
    username: 'alice',
    password: 'secret',
    cnonce: 'c0ffee',
    nc: 1,
    allowMd5: true,
    ...input,
  });
  assert.ok(answered.ok);
  return answered.value.authorization;
};

const verify = (server: DigestServer, authorization: string, input: Partial<VerifyInput> = {}): string => {
  const verdict = server.verify({
    authorization,
    method: 'REGISTER',
    uri: 'sip:example.com',
    source,
    now: 1000,
    realms: [realm],
    lookup,
    body: noBody,
    ...input,
  });
  return verdict.ok ? 'ok' : verdict.error.reason;
};

const challenge = (server: DigestServer, algorithms: readonly DigestAlgorithm[] = ['SHA-256'], now = 1000) =>
  server.challenge({ realm, algorithms, source, now });

test('RFC 8760 §2.4: one challenge per algorithm, in the order of preference given', () => {
  const values = challenge(make(), ['SHA-256', 'SHA-512-256', 'MD5']);
  const names = values.map((value) => {
    const parsed = parseAuthParams(value);
    assert.ok(parsed.ok);
    assert.equal(parsed.value.params.get('qop'), 'auth');
    assert.equal(parsed.value.params.get('realm'), realm);
    return parsed.value.params.get('algorithm');
  });
  assert.deepEqual(names, ['SHA-256', 'SHA-512-256', 'MD5']);
});

test('RFC 7616 §3.4, RFC 8760 §2.1: each algorithm verifies, by password and by HA1', () => {
  for (const algorithm of digestAlgorithms) {
    const server = make();
    assert.equal(verify(server, credentials(challenge(server, [algorithm]))), 'ok');
    const byHa1 = credentials(challenge(server, [algorithm]), {
      ha1: { [algorithm]: ha1(algorithm, 'alice', realm, 'secret') },
    });
    assert.equal(verify(server, byHa1), 'ok');
  }
});

test('RFC 7616 §3.4.3: auth-int covers the body', () => {
  const server = make();
  const offered = challenge(server).map((value) => value.replace('qop="auth"', 'qop="auth-int"'));
  const body = new TextEncoder().encode('v=0');
  const authorization = credentials(offered, { body });
  assert.equal(verify(server, authorization, { body: noBody }), 'bad-credentials');
  assert.equal(verify(server, authorization, { body }), 'ok');
});

test('RFC 7616 §3.4: wrong password, unknown user and forbidden algorithm get one answer', () => {
  const server = make();
  assert.equal(verify(server, credentials(challenge(server), { password: 'guess' })), 'bad-credentials');
  assert.equal(verify(server, credentials(challenge(server), { username: 'nobody' })), 'bad-credentials');
  const onlySha: VerifyInput['lookup'] = (user, inRealm, algorithm) =>
    algorithm === 'MD5' ? undefined : lookup(user, inRealm, algorithm);
  const md5 = credentials(challenge(server, ['MD5']));
  assert.equal(verify(server, md5, { lookup: onlySha }), 'bad-credentials');
});

test('S9: the all-zero dummy HA1 of an unknown user is no way in', () => {
  const server = make();
  const zero = credentials(challenge(server), { username: 'nobody', ha1: { 'SHA-256': new Uint8Array(32) } });
  assert.equal(verify(server, zero), 'bad-credentials');
});

test('RFC 7616 §5.5, S7: credentials serve once', () => {
  const server = make();
  const authorization = credentials(challenge(server));
  assert.equal(verify(server, authorization), 'ok');
  assert.equal(verify(server, authorization), 'replay');
});

test('RFC 7616 §3.4: a nonce serves again with higher counts, reordered ones once each', () => {
  const server = make();
  const offered = challenge(server);
  const counts = [1, 2, 5, 3, 4, 40, 39, 8, 7, 40, 3];
  const verdicts = counts.map((nc) => verify(server, credentials(offered, { nc })));
  const expected = ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'replay', 'replay', 'replay', 'replay'];
  // 8 and 7 lie 32 and more below 40: nobody knows any more, so they are refused.
  assert.deepEqual(verdicts, expected);
  assert.equal(verify(server, credentials(offered, { nc: 9 })), 'ok');
});

test('RFC 7616 §3.4: no count is taken twice, whatever the order (property)', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 80 }), { maxLength: 60 }), (counts) => {
      const server = make();
      const offered = challenge(server);
      const taken = new Set<number>();
      let highest = 0;
      for (const nc of counts) {
        const fresh = verify(server, credentials(offered, { nc })) === 'ok';
        const expected = !taken.has(nc) && nc > highest - 32;
        assert.equal(fresh, expected, `${nc} of ${counts.join()}`);
        if (fresh) taken.add(nc);
        highest = Math.max(highest, nc);
      }
    }),
    { numRuns: 60 },
  );
});

test('RFC 7616 §3.3: an old nonce is stale only with right credentials, and nothing is remembered', () => {
  const server = make();
  const offered = challenge(server);
  assert.equal(verify(server, credentials(offered), { now: 61_001 }), 'stale');
  assert.equal(
    verify(server, credentials(offered, { password: 'guess' }), { now: 61_001 }),
    'bad-credentials',
  );
  assert.equal(server.remembered, 0);
  const again = server.challenge({ realm, algorithms: ['SHA-256'], source, stale: true, now: 61_001 });
  assert.match(again[0] ?? '', /stale=true/);
});

test('RFC 7616 §5.5, S7: a nonce is bound to source, realm and key', () => {
  const server = make();
  const authorization = credentials(challenge(server));
  assert.equal(verify(server, authorization, { source: '192.0.2.8' }), 'bad-nonce');
  assert.equal(verify(make({ key: new Uint8Array(32) }), authorization), 'bad-nonce');
  const other = server.challenge({ realm: 'other.example', algorithms: ['SHA-256'], source, now: 1000 });
  const moved = other.map((value) => value.replace('other.example', realm));
  assert.equal(verify(server, credentials(moved)), 'bad-nonce');
});

test('RFC 7616 §5.5: no changed nonce opens (property)', () => {
  const server = make();
  const authorization = credentials(challenge(server));
  const nonce = /nonce="([^"]*)"/.exec(authorization)?.[1] ?? '';
  fc.assert(
    fc.property(fc.nat(nonce.length - 1), fc.constantFrom(...'ABab01-_=+'), (at, letter) => {
      const changed = nonce.slice(0, at) + letter + nonce.slice(at + 1);
      fc.pre(changed !== nonce);
      assert.equal(verify(server, authorization.replace(nonce, changed)), 'bad-nonce');
    }),
    { numRuns: 200 },
  );
});

test('RFC 3261 §22.4, S7: credentials for one URI pay for no other', () => {
  const server = make();
  const authorization = credentials(challenge(server), { uri: 'sip:cheap@example.com' });
  assert.equal(verify(server, authorization, { uri: 'sip:costly@example.com' }), 'bad-uri');
  assert.equal(verify(server, authorization, { uri: 'sip:cheap@EXAMPLE.com' }), 'ok');
});

test('RFC 7616 §3.4: credentials for one method pay for no other', () => {
  const server = make();
  assert.equal(verify(server, credentials(challenge(server)), { method: 'INVITE' }), 'bad-credentials');
});

test('RFC 7616 §5.8: no qop is refused unless allowed, and then serves once', () => {
  const without = (server: DigestServer) =>
    credentials(challenge(server).map((value) => value.replace(/, qop="auth"/, '')));
  const strict = make();
  assert.equal(verify(strict, without(strict)), 'malformed');
  const lax = make({ allowNoQop: true });
  const authorization = without(lax);
  assert.equal(verify(lax, authorization), 'ok');
  assert.equal(verify(lax, authorization), 'replay');
});

test('RFC 7616 §3.4: what is missing or malformed', () => {
  const server = make();
  const good = credentials(challenge(server));
  const cases: readonly (readonly [string, string])[] = [
    ['', 'missing'],
    ['Basic YTpi', 'missing'],
    ['Digest', 'missing'],
    ['Digest realm=', 'malformed'],
    ['Bearer token="x"', 'missing'],
    [good.replace(realm, 'elsewhere.example'), 'missing'],
    [good.replace(/response="[^"]*"/, 'response="0"'), 'malformed'],
    [good.replace(/response="[^"]*"/, `response="${'g'.repeat(64)}"`), 'malformed'],
    [good.replace('SHA-256', 'SHA-1'), 'bad-algorithm'],
    [good.replace('SHA-256', 'SHA-256-sess'), 'bad-algorithm'],
    [good.replace('nc=00000001', 'nc=1'), 'malformed'],
    [good.replace('nc=00000001', 'nc=00000000'), 'malformed'],
    [good.replace('cnonce="c0ffee"', 'cnonce=""'), 'malformed'],
    [good.replace('qop=auth', 'qop=other'), 'malformed'],
    [good.replace('username="alice", ', ''), 'malformed'],
    [`${good}, userhash="true"`, 'malformed'],
    [`${good}, realm="again"`, 'malformed'],
  ];
  for (const [authorization, reason] of cases)
    assert.equal(verify(server, authorization), reason, authorization);
  const given = { method: 'REGISTER', uri: 'sip:example.com', source, now: 1000, realms: new Set([realm]) };
  const several = ['Basic YTpi', credentials(challenge(server, ['MD5'], 1000)).replace(realm, 'b'), good];
  assert.ok(server.verify({ ...given, authorization: several, lookup, body: noBody }).ok);
});

test('RFC 7616 §3.4: hostile text never throws (property)', () => {
  const server = make();
  const good = credentials(challenge(server));
  fc.assert(
    fc.property(fc.string(), fc.nat(good.length), (text, at) => {
      verify(server, text);
      assert.notEqual(verify(server, good.slice(0, at) + text + good.slice(at + text.length + 1)), undefined);
    }),
    { numRuns: 500 },
  );
});

test('S8: the memory of used nonces is bounded, and what it forgets is refused', () => {
  const server = make({ maxNonces: 10 });
  const used: string[] = [];
  for (let i = 0; i < 30; i++) {
    const authorization = credentials(challenge(server, ['SHA-256'], 1000 + i));
    used.push(authorization);
    assert.equal(verify(server, authorization, { now: 1000 + i }), 'ok');
    assert.ok(server.remembered <= 10);
  }
  for (const authorization of used) {
    assert.match(verify(server, authorization, { now: 1100 }), /replay|stale/);
  }
});

test('S8: challenges and failed attempts leave nothing behind', () => {
  const server = make();
  for (let i = 0; i < 1000; i++) verify(server, credentials(challenge(server), { password: 'guess' }));
  assert.equal(server.remembered, 0);
});

test('RFC 8760 §2.4: the client takes the strongest algorithm and MD5 only where allowed', () => {
  const server = make();
  const input: AnswerInput = {
    method: 'INVITE',
    uri: 'sip:bob@example.com',
    username: 'alice',
    password: 'secret',
    cnonce: 'c',
    nc: 1,
  };
  const all = challenge(server, ['MD5', 'SHA-256', 'SHA-512-256']);
  const strongest = answer(all.toReversed(), input);
  assert.ok(strongest.ok && strongest.value.algorithm === 'SHA-512-256');
  const weak = answer(challenge(server, ['MD5']), input);
  assert.deepEqual(weak, { ok: false, error: 'not-allowed' });
  assert.deepEqual(answer(['Basic realm="x"', 'garbage'], input), { ok: false, error: 'no-challenge' });
  assert.deepEqual(answer(all, { ...input, realm: 'other' }), { ok: false, error: 'not-allowed' });
});
