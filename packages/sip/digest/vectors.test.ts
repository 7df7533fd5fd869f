import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAuthParams } from '../message/auth-params.ts';
import { digestHex } from './algorithm.ts';
import { type AnswerInput, answer } from './client.ts';

const responseOf = (challenge: string, input: AnswerInput): string | undefined => {
  const answered = answer([challenge], input);
  assert.ok(answered.ok);
  const parsed = parseAuthParams(answered.value.authorization);
  assert.ok(parsed.ok);
  return parsed.value.params.get('response');
};

const mufasa: AnswerInput = {
  method: 'GET',
  uri: '/dir/index.html',
  username: 'Mufasa',
  password: 'Circle of Life',
  cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
  nc: 1,
  allowMd5: true,
};

const challenge391 = (algorithm: string): string =>
  `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, ` +
  'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"';

test('RFC 7616 §3.9.1: SHA-256 as printed', () => {
  const expected = '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1';
  assert.equal(responseOf(challenge391('SHA-256'), mufasa), expected);
});

test('RFC 7616 §3.9.1: MD5 as printed', () => {
  assert.equal(responseOf(challenge391('MD5'), mufasa), '8ca523f5e9506fed4657c9700eebdbec');
});

test('RFC 7616 §3.9.1: of both challenges the stronger is answered', () => {
  const answered = answer([challenge391('MD5'), challenge391('SHA-256')], mufasa);
  assert.ok(answered.ok && answered.value.algorithm === 'SHA-256');
});

// The RFC prints values made with SHA-512 cut to 256 bits; erratum 4897 has those of SHA-512/256.
test('RFC 7616 §3.9.2 with erratum 4897: SHA-512-256', () => {
  const challenge =
    'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, ' +
    'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", ' +
    'charset=UTF-8, userhash=true';
  const username = 'J\u00e4s\u00f8n Doe';
  const input: AnswerInput = {
    method: 'GET',
    uri: '/doe.json',
    username,
    password: 'Secret, or not?',
    cnonce: 'NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v',
    nc: 1,
  };
  const hashed = digestHex('SHA-512-256', `${username}:api@example.org`);
  assert.equal(hashed, '793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b');
  const expected = '3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5';
  assert.equal(responseOf(challenge, input), expected);
});

test('RFC 2617 §3.5: MD5 with qop as printed', () => {
  const challenge =
    'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", ' +
    'opaque="5ccc069c403ebaf9f0171e9517f40e41"';
  const input: AnswerInput = { ...mufasa, password: 'Circle Of Life', cnonce: '0a4f113b' };
  assert.equal(responseOf(challenge, input), '6629fae49393a05397450978507c4ef1');
});
