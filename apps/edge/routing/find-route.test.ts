import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUri } from '@ringfence/sip/message/uri.ts';
import type { Objects } from '../objects/types.ts';
import type { Principal } from '../policy/types.ts';
import { route, trunk, user } from '../testing/objects.ts';
import { Directory } from './directory.ts';
import { findRoute, matches, readDialled } from './find-route.ts';
import { digitsOf, Numbers } from './numbers.ts';

const germany = new Numbers('DE', ['112', '110']);
const america = new Numbers('US', ['911', '933']);

const dial = (text: string, numbers = germany) => {
  const uri = parseUri(text);
  assert.ok(uri.ok, text);
  return readDialled(uri.value, numbers);
};

const who = (kind: 'device' | 'trunk', name = 'x'): Principal =>
  kind === 'device'
    ? { kind, domain: 'example.test', user: 'alice', device: name, encryption: 'none', proof: 'digest' }
    : { kind, domain: 'example.test', trunk: name, encryption: 'none', proof: 'address' };

const find = (objects: Partial<Objects>, dialled: string, from = who('device'), emergency?: string) =>
  findRoute(
    new Directory({ users: [], trunks: [], routes: [], ...objects }, 'example.test').domain('example.test')!,
    from,
    dial(dialled),
    emergency,
  );

for (const [dialled, e164] of [
  ['sip:+49301234567@x', '+49301234567'],
  ['sip:0301234567@x', '+49301234567'],
  ['sip:0049301234567@x', '+49301234567'],
  ['sip:030-123%204567@x', '+49301234567'],
  ['sip:(030)123.4567@x', '+49301234567'],
  ['sip:+49301234567;phone-context=+49@x;user=phone', '+49301234567'],
  ['tel:+49-30-123-4567', '+49301234567'],
  ['tel:0301234567;phone-context=+49', '+49301234567'],
  ['sip:004420 7946 0018@x'.replaceAll(' ', ''), '+442079460018'],
  ['sip:12@x', undefined],
  ['sip:alice@x', undefined],
] as const)
  test(`${dialled} is ${e164 ?? 'no E.164 number'} in Germany (RFC 3966 §5.1.1, RFC 3261 §19.1.6)`, () => {
    assert.equal(dial(dialled).e164, e164);
  });

test('variants of one international number from the US lead to one E.164 form (ATTACKS 4.2.8)', () => {
  for (const dialled of ['sip:+442079460018@x', 'sip:011442079460018@x', 'tel:+44-20-7946-0018'])
    assert.equal(dial(dialled, america).e164, '+442079460018', dialled);
});

test('emergency numbers and service URNs, and what only looks like them (RFC 5031)', () => {
  for (const dialled of [
    'sip:112@x',
    'sip:1-1-2@x',
    'tel:112;phone-context=+49',
    'urn:service:sos',
    'URN:service:SOS.police',
    'sip:sos@x',
  ])
    assert.equal(dial(dialled).emergency, true, dialled);
  for (const dialled of [
    'sip:1122@x',
    'sip:0112@x',
    'sip:+49112@x',
    'sip:911@x',
    'sip:112a@x',
    'urn:service:counseling',
  ])
    assert.equal(dial(dialled).emergency, false, dialled);
});

test('what is no number stays text', () => {
  for (const text of ['', '+', 'a1', '1a', '1+2', '++1', '1'.repeat(33)])
    assert.equal(digitsOf(text), undefined, text);
  assert.equal(digitsOf('+49 (30) 1-2.3'), '+4930123');
  assert.equal(digitsOf('*97#'), '*97#');
});

test('the memory of numbers is bounded', () => {
  const numbers = new Numbers('DE', []);
  for (let i = 0; i < 10_000; i += 1) numbers.e164(`+4930${i}`);
  assert.equal(numbers.e164('0301234567'), '+49301234567');
});

test('patterns: digits, x for one digit, a star for any rest, default for all', () => {
  const table: [pattern: string, dialled: string, yes: boolean][] = [
    ['+49*', 'sip:0301234567@x', true],
    ['+49*', 'sip:+4420@x', false],
    ['+49301234567', 'sip:0301234567@x', true],
    ['+4930123456', 'sip:0301234567@x', false],
    ['1xx', 'sip:123@x', true],
    ['1xx', 'sip:1234@x', false],
    ['1XX', 'sip:123@x', true],
    ['1xx', 'sip:1ab@x', false],
    ['1xx*', 'sip:12345@x', true],
    ['1xx*', 'sip:12@x', false],
    ['*', 'sip:anything@x', true],
    ['bob', 'sip:bob@x', true],
    ['bob', 'sip:bobby@x', false],
    ['default', 'sip:anything@x', true],
    ['0*', 'sip:0301234567@x', true],
  ];
  for (const [pattern, dialled, yes] of table)
    assert.equal(matches(pattern, dial(dialled)), yes, `${pattern} ${dialled}`);
});

test('users go before routes: by name in any case, by number in any form', () => {
  const objects = {
    users: [user('Bob', { number: '+49301234567' }), user('c', { number: '200' })],
    routes: [route('*', { block: 'no' })],
  };
  for (const dialled of ['sip:bob@x', 'sip:BOB@x', 'sip:0301234567@x', 'tel:+49-30-1234567'])
    assert.equal(find(objects, dialled).kind, 'user', dialled);
  assert.equal(find(objects, 'sip:200@x').kind, 'user');
  assert.equal(find(objects, 'sip:201@x').kind, 'blocked');
});

test('lower priority first, then the longer pattern, default last of all', () => {
  const trunks = [trunk('a'), trunk('b'), trunk('c')];
  const routes = [
    route('default', { trunk: 'c' }, { priority: 1 }),
    route('+49*', { trunk: 'a' }),
    route('+4930*', { trunk: 'b' }),
  ];
  const to = (dialled: string): string => {
    const found = find({ trunks, routes }, dialled);
    return found.kind === 'trunk' ? found.trunk.name : found.kind;
  };
  assert.equal(to('sip:0301234567@x'), 'b');
  assert.equal(to('sip:0891234567@x'), 'a');
  assert.equal(to('sip:+442079460018@x'), 'c');
});

test('a route serves those it is for; nothing is carried from trunk to trunk unless a route says so', () => {
  const trunks = [trunk('a'), trunk('b')];
  const users = { trunks, routes: [route('default', { trunk: 'b' })] };
  assert.equal(find(users, 'sip:+4989123@x').kind, 'trunk');
  assert.equal(find(users, 'sip:+4989123@x', who('trunk', 'a')).kind, 'none');
  const any = { trunks, routes: [route('default', { trunk: 'b' }, { from: 'any' })] };
  assert.equal(find(any, 'sip:+4989123@x', who('trunk', 'a')).kind, 'trunk');
});

test('routes to trunks and users that are gone are passed over; a URI without user part leads nowhere', () => {
  const objects = {
    trunks: [trunk('b')],
    routes: [
      route('+49*', { trunk: 'gone' }),
      route('*', { user: 'gone' }),
      route('default', { trunk: 'b' }),
    ],
  };
  const found = find(objects, 'sip:0891234567@x');
  assert.equal(found.kind === 'trunk' ? found.trunk.name : '', 'b');
  assert.equal(find(objects, 'sip:example.test').kind, 'none');
});

test('emergency calls take the set trunk, else the first, never the one they come from', () => {
  const trunks = [trunk('a'), trunk('b')];
  const name = (from: Principal, wanted?: string): string => {
    const found = find({ trunks }, 'sip:112@x', from, wanted);
    return found.kind === 'trunk' ? found.trunk.name : found.kind;
  };
  assert.equal(name(who('device')), 'a');
  assert.equal(name(who('device'), 'b'), 'b');
  assert.equal(name(who('device'), 'gone'), 'a');
  assert.equal(name(who('trunk', 'a')), 'b');
  assert.equal(name(who('trunk', 'b'), 'b'), 'a');
});
