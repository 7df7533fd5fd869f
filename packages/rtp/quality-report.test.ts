import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseQualityReport } from './quality-report.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const session = [
  'VQSessionReport: CallTerm',
  'CallID: 6dg37f1890463',
  'LocalID: Alice <sip:alice@example.org>',
  'RemoteID: Bill <sip:bill@example.net>',
  'OrigID: Alice <sip:alice@example.org>',
  'LocalAddr: IP=10.10.1.100 PORT=5000 SSRC=1a3b5c7d',
  'LocalMetrics:',
  'Timestamps: START=2004-10-10T18:23:43Z STOP=2004-10-01T18:26:02Z',
  'SessionDesc: PT=18 PD=G729 SR=8000 FD=20 FO=20 FPP=2 PPS=50 FMTP="annexb=no" PLC=3 SSUP=on',
  'JitterBuffer: JBA=3 JBR=2 JBN=40 JBM=80 JBX=120',
  'PacketLoss: NLR=5.0 JDR=2.0',
  'BurstGapLoss: BLD=0 BD=0 GLD=2.0 GD=500 GMIN=16',
  'Delay: RTD=200 ESD=140 SOWD=100 IAJ=2 MAJ=10',
  'Signal: SL=-18 NL=-50 RERL=55',
  'QualityEst: RLQ=88 RCQ=85 EXTRI=90 MOSLQ=4.2 MOSCQ=4.3 QoEEstAlg=P.564',
  'RemoteMetrics:',
  'SessionDesc: PT=18 PD=G729 SR=8000',
  'PacketLoss: NLR=3.0 JDR=1.0',
  'QualityEst: MOSLQ=4.1 MOSCQ=9.9 RLQ=x',
  'DialogID: 1890463548@alice.example.org;to-tag=8472761;from-tag=9123dh311',
].join('\r\n');

test('RFC 6035 §4.6: a report at the end of a session, what both sides have heard', () => {
  assert.deepEqual(parseQualityReport(bytes(session)), {
    ok: true,
    value: {
      kind: 'session',
      callId: '6dg37f1890463',
      local: {
        codec: 'G729',
        jitterBufferMs: 40,
        lossPercent: 5,
        discardPercent: 2,
        roundTripMs: 200,
        endSystemDelayMs: 140,
        jitterMs: 2,
        meanJitterMs: 10,
        rLq: 88,
        rCq: 85,
        mosLq: 4.2,
        mosCq: 4.3,
      },
      remote: { codec: 'G729', lossPercent: 3, discardPercent: 1, mosLq: 4.1 },
    },
  });
});

test('RFC 6035 §4.6: what is no report, has no call, or is too long is refused', () => {
  for (const [text, problem] of [
    ['', 'kind'],
    ['CallID: a', 'kind'],
    ['VQSessionReport: CallTerm\r\nPacketLoss: NLR=1', 'call-id'],
    ['VQIntervalReport\r\nCallID: a', 'kind'],
    ['VQIntervalReport:\r\nCallID: a b', 'call-id'],
    [`VQAlertReport: x\r\nCallID: ${'a'.repeat(300)}`, 'call-id'],
    [`VQAlertReport: x\r\n${'A: b\r\n'.repeat(200)}`, 'limit'],
    [`VQAlertReport: ${'x'.repeat(9000)}`, 'limit'],
  ] as const)
    assert.deepEqual(parseQualityReport(bytes(text)), { ok: false, error: problem }, text.slice(0, 40));
});

test('property: no octets make it throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(session.length), (octets, at) => {
      parseQualityReport(octets);
      parseQualityReport(new Uint8Array([...bytes(session.slice(0, at)), ...octets]));
    }),
    { numRuns: 200 },
  );
});
