import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evenWords, oddWords } from './pgp-words.ts';
import { renderSas } from './sas.ts';

const sas = (hex: string, type: string): string | undefined => renderSas(Buffer.from(hex, 'hex'), type);

test('RFC 6189 §5.1.6: base32 by the letters of its pseudocode, most significant quintet first', () => {
  assert.equal(sas('00000fff', 'B32 '), 'yyyy');
  assert.equal(sas('fffff000', 'B32 '), '9999');
  // 00001 00010 00011 00100
  assert.equal(sas('08864fff', 'B32 '), 'bndr');
});

test('RFC 6189 §5.1.6: base256 by the PGP word list', () => {
  // The fingerprint by which the list is commonly explained, two octets at a time.
  const octets = 'E58294F2E9A227486E8B061B31CC528FD7FA3F19';
  const words: string[] = [];
  for (let at = 0; at < octets.length; at += 4) words.push(sas(`${octets.slice(at, at + 4)}0000`, 'B256')!);
  assert.equal(
    words.join(' '),
    'topmost Istanbul Pluto vagabond treadmill Pacific brackish dictator goldfish Medusa afflict bravado chatter ' +
      'revolver Dupont midsummer stopwatch whimsical cowbell bottomless',
  );
  for (const list of [evenWords, oddWords]) assert.equal(new Set(list).size, 256);
});

test('RFC 6189 §5.1.6: a rendering that is not known has no text', () => {
  assert.equal(sas('00000000', 'B64 '), undefined);
});
