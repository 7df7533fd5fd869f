import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readVoipMetrics } from './voip-metrics.ts';

const octets = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

test('RFC 3611 §4.7: every field at its place, in its unit', () => {
  assert.deepEqual(
    readVoipMetrics(
      octets('0d 05 40 01  0078 2710  00c8 0050  ee b5 32 10  5d 7f 2a 29  a0 00  0028 0050 00a0'),
    ),
    {
      lossPercent: 5.1,
      discardPercent: 2,
      burstDensityPercent: 25,
      gapDensityPercent: 0.4,
      burstMs: 120,
      gapMs: 10_000,
      roundTripMs: 200,
      endSystemDelayMs: 80,
      signalLevelDbm: -18,
      noiseLevelDbm: -75,
      echoReturnLossDb: 50,
      gmin: 16,
      rFactor: 93,
      mosLq: 4.2,
      mosCq: 4.1,
      jitterBuffer: { nominalMs: 40, maximumMs: 80, limitMs: 160 },
    },
  );
});

test('RFC 3611 §4.7.4: what is not known, or cannot be, is absent', () => {
  const metrics = readVoipMetrics(
    octets('00 00 00 00  0000 0000  0000 0000  7f 7f 7f 10  7f ff 7f 33  00 00  0000 0000 0000'),
  );
  assert.ok(metrics !== undefined);
  for (const name of [
    'signalLevelDbm',
    'noiseLevelDbm',
    'echoReturnLossDb',
    'rFactor',
    'externalRFactor',
    'mosLq',
    'mosCq',
  ] as const)
    assert.ok(!(name in metrics), name);
});

test('a block of another length is none', () => {
  for (const length of [0, 27, 29]) assert.equal(readVoipMetrics(new Uint8Array(length)), undefined);
});
