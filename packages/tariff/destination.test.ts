import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classify } from './destination.ts';
import { contextOf, readDestination, readings } from './dialled.ts';

test('numbers fall into classes by the public numbering plans', () => {
  const classes: readonly (readonly [string, string, string])[] = [
    ['+4989123456', 'DE', 'domestic'],
    ['+491711234567', 'DE', 'mobile'],
    ['+4980012345678', 'DE', 'toll-free'],
    ['+499001234567', 'DE', 'premium'],
    ['+12125551234', 'US', 'international'],
    ['+18765551234', 'JM', 'international'],
    ['+17584501234', 'LC', 'high-risk'],
    ['+447012345678', 'GB', 'shared-cost'],
    ['+441481256789', 'GG', 'international'],
    ['+881612345678', '', 'satellite'],
    ['+88213123456', '', 'satellite'],
    ['+979123456789', '', 'premium'],
    ['+252615000000', 'SO', 'high-risk'],
    ['+37190012345', 'LV', 'premium'],
    ['+49115', 'DE', 'unallocated'],
    ['+999123456', '', 'unknown'],
    ['112', '', 'unknown'],
    ['+4989x', '', 'unknown'],
  ];
  for (const [number, country, expected] of classes) {
    const found = classify(number, 'DE');
    assert.deepEqual([number, found.country, found.class], [number, country, expected]);
  }
  assert.equal(classify('+252615000000', 'SO').class, 'mobile');
  assert.equal(classify('+4989123456').class, 'international');
  assert.equal(classify('+12125551234', 'DE').prefix, '+1212');
});

test('however it is dialled, a dear number is judged as what it is', () => {
  const hidden = [
    '0115355512345',
    '90115355512345',
    '0005355512345',
    '9005355512345',
    '00005355512345',
    '99900 53 555 12345',
    '+005355512345',
    '9-011-53-JKL-12345',
  ];
  for (const dialled of hidden) {
    const { e164, destination, disguised } = readDestination(dialled, undefined, 'DE');
    assert.deepEqual(
      [dialled, e164, destination.class, disguised],
      [dialled, '+5355512345', 'high-risk', true],
    );
  }
  const usual = readDestination('089123456', '+4989123456', 'DE');
  assert.deepEqual([usual.destination.class, usual.disguised], ['domestic', false]);
  assert.equal(readDestination('reception', undefined, 'DE').destination.class, 'unknown');
  assert.deepEqual(readings(''), []);
});

test('RFC 3966 §5.1.5: a phone-context counts as what stands before the number', () => {
  assert.equal(contextOf(';phone-context=+53'), '+53');
  assert.equal(contextOf('5551;phone-context=example.test'), '');
  const found = readDestination('55512345', undefined, 'DE', '+53');
  assert.deepEqual([found.e164, found.destination.class], ['+5355512345', 'high-risk']);
});
