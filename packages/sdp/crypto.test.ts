import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { corpusFile, needsCorpus } from '@ringfence/testkit/corpus.ts';
import fc from 'fast-check';
import {
  acceptedCrypto,
  type CryptoAttribute,
  type CryptoKey,
  chooseCrypto,
  cryptoLines,
  cryptoSuites,
  parseCrypto,
  serializeCrypto,
} from './crypto.ts';

const parsed = (value: string): CryptoAttribute => {
  const result = parseCrypto(value);
  assert.ok(result.ok, result.ok ? '' : result.error);
  return result.value;
};
const codeOf = (value: string): string => {
  const result = parseCrypto(value);
  return result.ok ? 'ok' : result.error;
};
const text = (octets: Uint8Array): string => Buffer.from(octets).toString('latin1');

const suite = 'AES_CM_128_HMAC_SHA1_80';
const key = 'WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz';
const other = 'PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR';

test('RFC 4568 4 and 6.1: the lines of the RFC', () => {
  const offered = parsed(`1 ${suite} inline:${key}|2^20|1:4 FEC_ORDER=FEC_SRTP`);
  assert.equal(offered.tag, 1);
  assert.equal(offered.suite, suite);
  const [first] = offered.keys;
  assert.equal(text(first.material), 'YS___semctl () {\t220;}\n}\nunles');
  assert.equal(first.lifetime, 2 ** 20);
  assert.deepEqual(first.mki, Uint8Array.of(0, 0, 0, 1));
  const both = parsed(`2 ${suite} inline:${key}|2^20|1:4;inline:${other}|2^20|2:4`);
  assert.deepEqual(
    both.keys.map(({ mki }) => mki?.[3]),
    [1, 2],
  );
  assert.deepEqual(
    parsed(`1 ${suite} inline:YUJDZGVmZ2hpSktMbW9QUXJzVHVWd3l6MTIzNDU2|1066:4`).keys[0].mki,
    Uint8Array.of(0, 0, 4, 42),
  );
  assert.equal(
    codeOf('2 F8_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm'),
    'unknown-suite',
  );
});

test('RFC 4568 9.1: what breaks the grammar is refused', () => {
  for (const value of [
    '',
    '1',
    `1 ${suite}`,
    `x ${suite} inline:${key}`,
    `-1 ${suite} inline:${key}`,
    `1234567890 ${suite} inline:${key}`,
    `1 ${suite} uri:${key}`,
    `1 ${suite} inline:`,
    `1 ${suite} inline:${key.slice(4)}`,
    `1 ${suite} inline:${key}AAAA`,
    `1 ${suite} inline:${key.replace('W', '@')}`,
    `1 ${suite} inline:${key}|`,
    `1 ${suite} inline:${key}|0`,
    `1 ${suite} inline:${key}|2^49`,
    `1 ${suite} inline:${key}|2^20|1`,
    `1 ${suite} inline:${key}|2^20|1:0`,
    `1 ${suite} inline:${key}|2^20|1:129`,
    `1 ${suite} inline:${key}|2^20|256:1`,
    `1 ${suite} inline:${key}|1:4|2^20`,
    `1 ${suite} inline:${key}|2^20|1:4|x`,
    `1 ${suite} inline:${key};`,
    `1 ${suite} inline:${key};inline:${other}`,
    `1 ${suite} inline:${key}|1:4;inline:${other}|1:4`,
    `1 ${suite} inline:${key}|1:4;inline:${other}|2:2`,
    `1 ${suite} ${new Array(5)
      .fill(0)
      .map((_, i) => `inline:${key}|${i}:4`)
      .join(';')}`,
    `1 ${suite} inline:${key} WSH=63`,
    `1 ${suite} inline:${key} WSH=`,
    `1 ${suite} inline:${key} ${'x'.repeat(1024)}`,
  ])
    assert.equal(codeOf(value), 'malformed', value);
});

test('RFC 4568 6.3: parameters that weaken, or that we do not do, make a line unacceptable', () => {
  for (const parameter of [
    'UNENCRYPTED_SRTP',
    'UNENCRYPTED_SRTCP',
    'UNAUTHENTICATED_SRTP',
    '-UNAUTHENTICATED_SRTP',
    'KDR=1',
    'FEC_ORDER=SRTP_FEC',
    'FEC_KEY=inline:x',
    'SOMETHING_NEW',
  ])
    assert.equal(codeOf(`1 ${suite} inline:${key} ${parameter}`), 'unacceptable-parameter', parameter);
  assert.equal(codeOf(`1 ${suite} inline:${key} -SOMETHING_NEW -OTHER=1`), 'ok');
  assert.equal(parsed(`1 ${suite} inline:${key} WSH=128`).windowSizeHint, 128);
});

test('RFC 4568 5.1.2 and 5.1.3: choice and answer', () => {
  const attributes = [
    { name: 'crypto', value: `1 AES_CM_128_HMAC_SHA1_32 inline:${key}` },
    { name: 'crypto', value: `2 ${suite} inline:${other}` },
    { name: 'crypto', value: `2 ${suite} inline:${key}` },
    { name: 'crypto', value: `3 ${suite} inline:${key} UNENCRYPTED_SRTP` },
    { name: 'crypto' },
  ];
  const { acceptable, refused } = cryptoLines({ attributes });
  assert.deepEqual(
    acceptable.map(({ tag }) => tag),
    [1, 2],
  );
  assert.deepEqual(refused, ['duplicate-tag', 'unacceptable-parameter', 'malformed']);
  assert.equal(chooseCrypto(acceptable, cryptoSuites)?.tag, 2);
  assert.equal(chooseCrypto(acceptable, ['AEAD_AES_256_GCM']), undefined);
  const answer = (...values: string[]) =>
    acceptedCrypto(
      acceptable,
      cryptoLines({ attributes: values.map((value) => ({ name: 'crypto', value })) }),
    );
  assert.equal(answer(`2 ${suite} inline:${key}`)?.offered.tag, 2);
  assert.equal(answer(`1 ${suite} inline:${key}`), undefined, 'suite of another tag');
  assert.equal(answer(`9 ${suite} inline:${key}`), undefined, 'tag not offered');
  assert.equal(answer(), undefined, 'nothing accepted');
  assert.equal(
    answer(`2 ${suite} inline:${key}`, `1 AES_CM_128_HMAC_SHA1_32 inline:${key}`),
    undefined,
    'two',
  );
  assert.equal(answer(`2 ${suite} inline:${key}`, 'nonsense'), undefined, 'one and nonsense');
});

test('lines are bounded', () => {
  const attributes = Array.from({ length: 40 }, (_, tag) => ({
    name: 'crypto',
    value: `${tag} ${suite} inline:${key}`,
  }));
  const { acceptable, refused } = cryptoLines({ attributes });
  assert.equal(acceptable.length, 32);
  assert.deepEqual(refused, ['limit']);
});

test('padding of base64 may be left off, and nothing else', () => {
  const material = Buffer.alloc(46, 7).toString('base64');
  const suite256 = 'AES_256_CM_HMAC_SHA1_80';
  assert.ok(material.endsWith('=='));
  assert.equal(codeOf(`1 ${suite256} inline:${material}`), 'ok');
  assert.equal(codeOf(`1 ${suite256} inline:${material.slice(0, -2)}`), 'ok');
  assert.equal(codeOf(`1 ${suite256} inline:${material.slice(0, -1)}`), 'malformed');
  assert.equal(codeOf(`1 ${suite256} inline:${material.slice(0, -2)}AA`), 'malformed');
});

test('a key lies in memory of its own, so that wiping it leaves no copy in a pool', () => {
  const { material } = parsed(`1 ${suite} inline:${key}`).keys[0];
  assert.equal(material.buffer.byteLength, material.length);
});

test('what is ours and does not fit is misuse', () => {
  const material = new Uint8Array(30);
  const misuse = (error: unknown) => error instanceof MisuseError && error.code === 'sdp-crypto';
  for (const crypto of [
    { tag: -1, suite, keys: [{ material }] },
    { tag: 1, suite, keys: [{ material: new Uint8Array(29) }] },
    { tag: 1, suite, keys: [{ material, lifetime: 0 }] },
    { tag: 1, suite, keys: [{ material, mki: new Uint8Array(0) }] },
    { tag: 1, suite, keys: [{ material }, { material }] },
  ] as readonly CryptoAttribute[])
    assert.throws(() => serializeCrypto(crypto), misuse);
});

test('property: whatever is written is read back', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 999_999_999 }),
      fc.constantFrom(...cryptoSuites),
      fc.uint8Array({ minLength: 46, maxLength: 46 }),
      fc.option(fc.integer({ min: 1, max: 2 ** 48 }), { nil: undefined }),
      fc.option(fc.uint8Array({ minLength: 1, maxLength: 128 }), { nil: undefined }),
      fc.option(fc.integer({ min: 64, max: 99_999 }), { nil: undefined }),
      (tag, name, octets, lifetime, mki, windowSizeHint) => {
        const length = name.includes('GCM')
          ? name.includes('256')
            ? 44
            : 28
          : name.includes('256')
            ? 46
            : 30;
        const first: CryptoKey = {
          material: octets.slice(0, length),
          ...(lifetime === undefined ? {} : { lifetime }),
          ...(mki === undefined ? {} : { mki }),
        };
        const crypto: CryptoAttribute = {
          tag,
          suite: name,
          keys: [first],
          ...(windowSizeHint === undefined ? {} : { windowSizeHint }),
        };
        assert.deepEqual(parsed(serializeCrypto(crypto)), crypto);
      },
    ),
    { numRuns: 300 },
  );
});

test('property: arbitrary text never throws', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 80 }), fc.string({ maxLength: 80 }), (a, b) => {
      parseCrypto(a);
      parseCrypto(`1 ${suite} inline:${a}`);
      parseCrypto(`1 ${suite} inline:${key}${b}`);
      parseCrypto(`1 ${suite} inline:${key} ${b}`);
    }),
    { numRuns: 500 },
  );
});

test(
  'seeds of another implementation: keys that do not fit their suite are refused',
  needsCorpus('fuzz-seeds/pjsip-fuzz-sdes'),
  () => {
    const codes = (name: string) =>
      Buffer.from(corpusFile(`fuzz-seeds/pjsip-fuzz-sdes/seed-crypto-${name}.sdp`))
        .toString()
        .split(/\r?\n/)
        .filter((line) => line.startsWith('a=crypto:'))
        .map((line) => codeOf(line.slice(9)));
    // 28 octets where the suite takes 30; AES_CM_256 is not the name that RFC 6188 gives.
    assert.deepEqual(codes('aes128'), ['malformed']);
    assert.deepEqual(codes('aes256'), ['unknown-suite']);
    assert.deepEqual(codes('invalid-base64'), ['malformed']);
    assert.deepEqual(codes('missing-components'), ['malformed']);
    assert.deepEqual(codes('unsupported-suite'), ['unknown-suite']);
  },
);
