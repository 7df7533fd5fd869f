import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import fc from 'fast-check';
import type { NumberRule } from '../../objects/rewrite-settings.ts';
import { Numbers } from '../../routing/numbers.ts';
import { route } from '../../testing/objects.ts';
import { over, trunkCast } from '../../testing/trunk-cast.ts';
import { rewriteNumber } from './numbers.ts';
import { matchPattern, parsePattern } from './pattern.ts';
import { isNumberText, parseTemplate } from './template.ts';

const germany = new Numbers('DE', ['112']);
const rule = (fields: Partial<NumberRule>): NumberRule => ({ match: '*', ...fields });

test('patterns: digits, sets, a rest at the end, captures', () => {
  const table: [pattern: string, text: string, found: readonly string[] | undefined][] = [
    ['*', '', ['']],
    ['+49(*)', '+49301', ['+49301', '301']],
    ['+49(xx)(*)', '+49301', ['+49301', '30', '1']],
    ['0([1-9]*)', '0301', ['0301', '301']],
    ['0([1-9]*)', '0030', undefined],
    ['[039]x', '91', ['91']],
    ['[*#]x*', '*97', ['*97']],
    ['12', '123', undefined],
    ['12*', '1', undefined],
    ['()x', '1', ['1', '']],
    ['alice', 'alice', ['alice']],
  ];
  for (const [text, number, found] of table) {
    const pattern = parsePattern(text);
    assert.ok(pattern.ok, text);
    assert.deepEqual(matchPattern(pattern.value, number), found, `${text} ${number}`);
  }
});

test('what is no pattern or replacement is refused with a reason', () => {
  for (const text of [
    '',
    '(',
    ')',
    '((1))',
    '(1',
    '*1',
    '**',
    '[',
    '[]',
    '[9-1]',
    '[a-z]',
    '1 2',
    '.'.repeat(65),
    '()'.repeat(10),
  ])
    assert.ok(!parsePattern(text).ok, text);
  for (const text of ['', '{', '{1', '{1}', '{x}', '1;2', '@']) assert.ok(!parseTemplate(text, 0).ok, text);
});

test('no pattern and no number, however long, makes matching slow or a rule throw', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...'x()*[]-019+#a{} '), maxLength: 70 }),
      fc.string({ unit: fc.constantFrom(...'019+#ax;@\r\n'), maxLength: 5000 }),
      fc.constantFrom('{0}', '0{1}', '49'),
      (match, text, replace) => {
        const made = rewriteNumber([rule({ match, replace }), rule({ match, strip: 3 })], text, germany);
        assert.ok(made.rule === undefined ? made.text === text : isNumberText(made.text));
      },
    ),
    { numRuns: 2000 },
  );
});

for (const [what, rules, from, to] of [
  ['strip and prefix', [rule({ match: '+49*', strip: 3, prefix: '0' })], '+49301234567', '0301234567'],
  [
    'international prefix',
    [rule({ match: '+*', strip: 1, prefix: '00' })],
    '+442079460018',
    '00442079460018',
  ],
  ['E.164', [rule({ e164: true })], '0301234567', '+49301234567'],
  ['E.164 without plus', [rule({ e164: true, strip: 1 })], '0301234567', '49301234567'],
  ['replace', [rule({ match: '8xx(xx)', replace: '+4930123{1}' })], '80042', '+493012342'],
  ['the first that matches', [rule({ match: '1*', prefix: '9' }), rule({ prefix: '8' })], '12', '912'],
  ['none matches', [rule({ match: '1*', prefix: '9' })], '22', '22'],
  ['nothing would be left', [rule({ strip: 9 })], '22', '22'],
  ['what would be too long', [rule({ prefix: '1' })], '2'.repeat(64), '2'.repeat(64)],
] as const)
  test(`number rules: ${what}`, () => {
    assert.equal(rewriteNumber(rules as readonly NumberRule[], from, germany).text, to);
  });

test('calls out: route, then trunk; caller, called and header fields as the carrier wants them', async () => {
  const { world, alice, carrier } = await trunkCast({
    rewrite: {
      outbound: {
        called: [rule({ match: '+49*', strip: 3, prefix: '0' })],
        caller: [rule({ match: '+*', strip: 1 })],
        headers: [
          { add: 'P-Asserted-Identity', value: '<sip:{caller}@carrier.example>' },
          { remove: 'Subject' },
          { add: 'X-Called', value: '{called}' },
          { replace: 'X-Called', value: 'to {called}' },
          { replace: 'X-Absent', value: 'never' },
        ],
      },
    },
  });
  world.edge.replaceObjects({
    ...world.objects,
    routes: [
      route(
        'default',
        { trunk: 'carrier' },
        { rewrite: { called: [rule({ match: '+499(0*)', replace: '{1}', e164: true })] } },
      ),
    ],
  });
  carrier.onInvite = (call) => call.answer();
  const call = alice.call('90894321', { headers: [['Subject', 'secret']] });
  await world.until(() => call.state === 'up');
  const { request } = carrier.calls[0]!;
  assert.equal(serializeUri(request!.uri), 'sip:0894321@192.0.2.10:5060');
  assert.equal(serializeUri(request!.to.uri), 'sip:0894321@192.0.2.10');
  assert.equal(serializeUri(request!.from.uri), 'sip:4930123401@example.test');
  assert.deepEqual(request!.headers.all('P-Asserted-Identity'), ['<sip:4930123401@carrier.example>']);
  assert.deepEqual(request!.headers.all('X-Called'), ['to 0894321']);
  assert.equal(request!.headers.has('X-Absent'), false);
  assert.equal(request!.headers.has('Subject'), false);
  call.hangUp();
  await over(world);
});

test('calls in: numbers are rewritten before routing, what is passed on by the rules of the trunk', async () => {
  const { world, alice, carrier } = await trunkCast({
    rewrite: {
      inbound: {
        called: [rule({ match: '01(*)', replace: '+4930123{1}' })],
        caller: [rule({ match: '+49(*)', replace: '0{1}' })],
        headers: [{ add: 'X-From-Carrier', value: '{caller}' }],
      },
    },
  });
  alice.onInvite = (call) => call.answer();
  const call = carrier.call('01401');
  await world.until(() => call.state === 'up');
  const { request } = alice.calls[0]!;
  assert.equal(serializeUri(request!.from.uri), 'sip:089555@example.test');
  assert.equal(request!.headers.get('X-From-Carrier'), '089555');
  assert.equal(world.eventsOf('call.started')[0]!.callee, '+4930123401');
  call.hangUp();
  await over(world);
});

test('no rule touches an emergency number', async () => {
  const { world, alice, carrier } = await trunkCast({
    rewrite: { outbound: { called: [rule({ prefix: '0' })] } },
  });
  carrier.onInvite = (call) => call.answer();
  const call = alice.call('112');
  await world.until(() => call.state === 'up');
  assert.equal(serializeUri(carrier.calls[0]!.request!.uri), 'sip:112@192.0.2.10:5060');
  call.hangUp();
  await over(world);
});
