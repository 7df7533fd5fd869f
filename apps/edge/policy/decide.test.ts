import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decide, demandedOf, type PolicyContext, type PolicyRequest, stricter } from './decide.ts';
import type { Principal } from './types.ts';

const device: Principal = {
  kind: 'device',
  domain: 'example.test',
  user: 'alice',
  device: 'desk',
  encryption: 'preferred',
  proof: 'digest',
};
const secureDevice: Principal = { ...device, encryption: 'required' };
const trunk: Principal = {
  kind: 'trunk',
  domain: 'example.test',
  trunk: 'carrier',
  encryption: 'none',
  proof: 'address',
};
const srtp = { present: true, srtp: true, plain: false, unsupported: false, usable: 1 };
const plain = { present: true, srtp: false, plain: true, unsupported: false, usable: 1 };
const mixed = { present: true, srtp: true, plain: true, unsupported: false, usable: 2 };
const dtls = { present: true, srtp: false, plain: false, unsupported: true, usable: 0 };
const empty = { present: true, srtp: false, plain: false, unsupported: false, usable: 0 };
const none = { ...empty, present: false };

const request: PolicyRequest = {
  method: 'INVITE',
  source: '203.0.113.1',
  transport: 'tls',
  dialled: '+4989',
  emergency: false,
  media: srtp,
};
const context: PolicyContext = {
  listener: 'phones',
  listenerEncryption: 'preferred',
  draining: false,
  calls: 0,
  maximumCalls: 10,
  mediaAvailable: true,
  route: { kind: 'found', name: 'trunk:carrier' },
};

interface Row {
  readonly rule: string;
  readonly status?: number;
  readonly who?: Principal;
  readonly request?: Partial<PolicyRequest>;
  readonly context?: Partial<PolicyContext>;
}

const table: readonly Row[] = [
  { rule: 'access.unknown', who: { kind: 'unknown' } },
  { rule: 'access.known', request: { method: 'OPTIONS' }, context: { draining: true } },
  { rule: 'route.allowed' },
  {
    rule: 'route.allowed',
    who: trunk,
    request: { transport: 'udp', media: plain },
    context: { listenerEncryption: 'none' },
  },
  { rule: 'overload.draining', status: 503, context: { draining: true } },
  { rule: 'overload.unrecorded', status: 503, context: { unrecorded: true } },
  { rule: 'emergency.first', request: { emergency: true }, context: { unrecorded: true } },
  { rule: 'overload.calls', status: 503, context: { calls: 10 } },
  { rule: 'media.unavailable', status: 503, context: { mediaAvailable: false } },
  { rule: 'signalling.encryption-required', status: 488, who: secureDevice, request: { transport: 'udp' } },
  {
    rule: 'signalling.encryption-required',
    status: 488,
    request: { transport: 'tcp' },
    context: { listenerEncryption: 'required' },
  },
  { rule: 'media.encryption-required', status: 488, who: secureDevice, request: { media: plain } },
  { rule: 'media.encryption-required', status: 488, who: secureDevice, request: { media: mixed } },
  {
    rule: 'media.encryption-required',
    status: 488,
    who: trunk,
    request: { media: plain },
    context: { listenerEncryption: 'required' },
  },
  { rule: 'media.encryption-unsupported', status: 488, request: { media: dtls } },
  { rule: 'media.nothing-usable', status: 488, request: { media: empty } },
  { rule: 'route.allowed', request: { media: none } },
  { rule: 'route.none', status: 404, context: { route: { kind: 'none' } } },
  {
    rule: 'route.blocked',
    status: 403,
    context: { route: { kind: 'blocked', name: 'block:x', why: 'premium' } },
  },
  { rule: 'route.offline', status: 480, context: { route: { kind: 'offline', name: 'user:bob' } } },
  { rule: 'route.loop', status: 482, context: { route: { kind: 'loop', name: 'trunk:carrier' } } },
  { rule: 'emergency.first', request: { emergency: true } },
  { rule: 'emergency.first', request: { emergency: true }, context: { draining: true } },
  { rule: 'emergency.first', request: { emergency: true }, context: { calls: 99 } },
  {
    rule: 'emergency.first',
    who: secureDevice,
    request: { emergency: true, transport: 'udp', media: plain },
  },
  {
    rule: 'emergency.no-trunk',
    status: 404,
    request: { emergency: true },
    context: { route: { kind: 'none' } },
  },
  { rule: 'media.nothing-usable', status: 488, request: { emergency: true, media: empty } },
  {
    rule: 'route.loop',
    status: 482,
    request: { emergency: true },
    context: { route: { kind: 'loop', name: 'x' } },
  },
];

for (const [i, row] of table.entries())
  test(`policy ${i + 1}: ${row.rule}${row.status === undefined ? '' : ` ${row.status}`}`, () => {
    const decision = decide(
      row.who ?? device,
      { ...request, ...row.request },
      { ...context, ...row.context },
    );
    assert.equal(decision.reasons[0]!.rule, row.rule);
    assert.equal(decision.verdict === 'refuse' ? decision.status : undefined, row.status);
    if (row.status === 488) assert.ok(decision.verdict === 'refuse' && decision.warning !== undefined);
    if (row.status === 503) assert.ok(decision.verdict === 'refuse' && decision.retryAfter !== undefined);
  });

const medias = fc.constantFrom(srtp, plain, mixed, dtls, empty, none);
const encryption = fc.constantFrom('required', 'preferred', 'none' as const);
const principals = fc.oneof(
  fc.constant<Principal>({ kind: 'unknown' }),
  encryption.map((demand): Principal => ({ ...device, encryption: demand as 'none' })),
  encryption.map((demand): Principal => ({ ...trunk, encryption: demand as 'none' })),
);

test('every decision names a rule, says why in a sentence, and has evidence; it is a pure function', () => {
  fc.assert(
    fc.property(
      principals,
      fc.record({
        method: fc.constantFrom('INVITE', 'OPTIONS', 'REGISTER'),
        source: fc.constant('203.0.113.1'),
        transport: fc.constantFrom('udp', 'tcp', 'tls' as const),
        dialled: fc.string(),
        emergency: fc.boolean(),
        media: medias,
      }),
      fc.record({
        listener: fc.constant('phones'),
        listenerEncryption: encryption,
        draining: fc.boolean(),
        calls: fc.integer({ min: 0, max: 20 }),
        maximumCalls: fc.integer({ min: 1, max: 20 }),
        mediaAvailable: fc.boolean(),
        route: fc.constantFrom(
          { kind: 'none' } as const,
          { kind: 'found', name: 'x' } as const,
          { kind: 'offline', name: 'x' } as const,
          { kind: 'blocked', name: 'x', why: 'y' } as const,
        ),
      }),
      (who, asked, world) => {
        const one = decide(who, asked as PolicyRequest, world as PolicyContext);
        assert.deepEqual(one, decide(who, asked as PolicyRequest, world as PolicyContext));
        assert.ok(one.reasons.length > 0);
        for (const { rule, text, evidence } of one.reasons) {
          assert.match(rule, /^[a-z]+\.[a-z-]+$/);
          assert.match(text, /^[A-Z].*\.$/);
          assert.ok(Object.keys(evidence).length > 0, rule);
        }
        // Nobody unknown is ever accepted; nobody plain where encryption is required, but for help.
        if (who.kind === 'unknown') assert.equal(one.verdict, 'challenge');
        const demanded = demandedOf(who, world.listenerEncryption as 'none');
        const bare = asked.transport !== 'tls' || asked.media.plain;
        if (one.verdict === 'accept' && asked.method === 'INVITE' && demanded === 'required' && bare)
          assert.ok(asked.emergency);
      },
    ),
    { numRuns: 1000 },
  );
});

test('of two demands the stricter holds', () => {
  assert.equal(stricter('none', 'required'), 'required');
  assert.equal(stricter('preferred', 'none'), 'preferred');
  assert.equal(demandedOf({ kind: 'unknown' }, 'preferred'), 'preferred');
});
