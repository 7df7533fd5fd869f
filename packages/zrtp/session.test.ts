import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Algorithms, DhType } from './algorithm.ts';
import { assertMirrored } from './testing/mirrored.ts';
import { ZrtpPair } from './testing/pair.ts';

const only = (keyAgreement: DhType, more: Partial<Algorithms> = {}): { algorithms: Partial<Algorithms> } => ({
  algorithms: { keyAgreements: [keyAgreement], ...more },
});

for (const keyAgreement of ['X255', 'EC25', 'EC38', 'DH3k'] as const)
  test(`RFC 6189 §4.4.1: ${keyAgreement} from Hello to keys, both roles`, () => {
    const roles = new Set<string>();
    for (let seed = 1; seed <= 10; seed++) {
      const pair = new ZrtpPair({ seed, a: only(keyAgreement), b: only(keyAgreement) });
      pair.start();
      pair.run();
      assertMirrored(pair);
      assert.equal(pair.a.secured?.choice.keyAgreement, keyAgreement);
      assert.equal(pair.a.secured?.choice.hash, keyAgreement === 'EC38' ? 'S384' : 'S256');
      roles.add(pair.a.secured!.role);
    }
    assert.equal(roles.size, 2, 'contention is won now by one, now by the other');
  });
