import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  codecImpairment,
  codecs,
  defaultRating,
  delayImpairment,
  effectiveEquipmentImpairment,
  meanOpinionScore,
  mos,
  rating,
} from './e-model.ts';

const near = (actual: number, expected: number, within: number) =>
  assert.ok(Math.abs(actual - expected) <= within, `${actual} is not ${expected}`);

test('G.107 table B.1: rating to mean opinion score', () => {
  for (const [r, expected] of [
    [90, 4.34],
    [80, 4.03],
    [70, 3.6],
    [60, 3.1],
    [50, 2.58],
  ] as const)
    near(meanOpinionScore(r), expected, 0.0075);
  near(meanOpinionScore(defaultRating), 4.41, 0.005);
  assert.equal(meanOpinionScore(0), 1);
  assert.equal(meanOpinionScore(-5), 1);
  assert.equal(meanOpinionScore(Number.NaN), 1);
  assert.equal(meanOpinionScore(100), 4.5);
  assert.equal(meanOpinionScore(140), 4.5);
});

test('G.107 7.4: no impairment by delay up to 100 ms, then as equation 7-27', () => {
  assert.equal(delayImpairment(0), 0);
  assert.equal(delayImpairment(100), 0);
  // X = 1 and X = 2, worked by hand.
  near(delayImpairment(200), 25 * (2 ** (1 / 6) - 3 * (1 + 3 ** -6) ** (1 / 6) + 2), 1e-12);
  near(delayImpairment(200), 3.044, 0.001);
  near(delayImpairment(400), 24.07, 0.001);
});

test('G.107 7.5: effective equipment impairment, random and in bursts', () => {
  assert.equal(effectiveEquipmentImpairment(codecs.G729, 0, 1), 11);
  near(effectiveEquipmentImpairment(codecs.G729, 5, 1), 11 + (84 * 5) / 24, 1e-12);
  near(effectiveEquipmentImpairment(codecs.G711, 10, 2), (95 * 10) / (5 + 25.1), 1e-12);
});

test('an undisturbed call of G.711 has the default rating', () => {
  const r = rating({ delayMs: 20, jitterMs: 1, lossPercent: 0, codec: codecs.G711 });
  assert.equal(r, defaultRating);
  near(mos({ delayMs: 20, jitterMs: 1, lossPercent: 0, codec: codecs.G711 }), 4.41, 0.005);
});

test('more delay, jitter, loss or bursts never make a call better, and the score stays within 1 and 4.5', () => {
  for (const codec of Object.values(codecs)) {
    let last = 5;
    for (let step = 0; step <= 100; step += 1) {
      const score = mos({
        delayMs: step * 10,
        jitterMs: step,
        lossPercent: step,
        burstRatio: 1 + step / 20,
        codec,
      });
      assert.ok(score <= last + 1e-9 && score >= 1 && score <= 4.5, `${score} after ${last}`);
      last = score;
    }
    assert.equal(last, 1);
  }
});

test('G.107.1 §7.1, annex A: a wideband codec starts from 129, and its rating is brought to 100 for the score', () => {
  const quiet = { delayMs: 20, jitterMs: 1, lossPercent: 0 };
  assert.equal(rating({ ...quiet, codec: codecs.OPUS }), 129);
  assert.equal(rating({ ...quiet, codec: codecs.G722 }), 116);
  assert.equal(mos({ ...quiet, codec: codecs.OPUS }), 4.5);
  near(mos({ ...quiet, codec: codecs.G722 }), meanOpinionScore(116 / 1.29), 1e-12);
  near(rating({ ...quiet, lossPercent: 5, codec: codecs.G722 }), 129 - (13 + 82 / 2), 1e-9);
});

test('encoding names of RTP, in any case', () => {
  assert.equal(codecImpairment('AMR'), codecs['GSM-EFR']);
  assert.equal(codecImpairment('amr-wb'), codecs['AMR-WB']);
  assert.equal(codecImpairment('PCMA'), codecs.G711);
  assert.equal(codecImpairment('g729'), codecs.G729);
  assert.equal(codecImpairment('speex'), undefined);
});
