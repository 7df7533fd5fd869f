import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  consistencyProof,
  emptyRoot,
  inclusionProof,
  leafHash,
  type NodeSource,
  nodeHash,
  rangeHash,
  TreeEnd,
} from './merkle.ts';
import { checkConsistency, checkInclusion } from './merkle-proof.ts';

/** Leaves, roots and proofs of the reference tree of Certificate Transparency (transparency-dev/merkle, testonly). */
const inputs = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const roots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const inclusions: readonly (readonly [index: number, size: number, path: readonly string[]])[] = [
  [0, 1, []],
  [0, 2, ['96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7']],
  [1, 2, ['6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d']],
  [2, 3, ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125']],
  [
    1,
    5,
    [
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ],
  ],
  [
    0,
    8,
    [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  ],
  [
    5,
    8,
    [
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  ],
];
const consistencies: readonly (readonly [first: number, second: number, path: readonly string[]])[] = [
  [1, 1, []],
  [
    1,
    8,
    [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  ],
  [
    2,
    5,
    [
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ],
  ],
  [
    6,
    8,
    [
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  ],
];

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const unhex = (text: string): Uint8Array => Buffer.from(text, 'hex');

/** Nodes from leaves, by the definition. */
function nodesOf(leaves: readonly Uint8Array[]): NodeSource {
  const node = (level: number, index: number): Uint8Array =>
    level === 0
      ? (leaves[index] as Uint8Array)
      : nodeHash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1));
  return async (level, index) => node(level, index);
}

const reference = inputs.map((input) => leafHash(unhex(input)));

test('roots of the reference tree (RFC 9162 §2.1.1)', async () => {
  assert.equal(hex(emptyRoot), roots[0]);
  const end = new TreeEnd();
  for (let size = 1; size <= 8; size++) {
    end.append(reference[size - 1] as Uint8Array);
    assert.equal(hex(end.root()), roots[size]);
    assert.equal(hex(await rangeHash(nodesOf(reference), 0, size)), roots[size]);
  }
});

test('inclusion proofs of the reference tree are made and checked (RFC 9162 §2.1.3)', async () => {
  for (const [index, size, path] of inclusions) {
    const made = await inclusionProof(nodesOf(reference), index, size);
    assert.deepEqual(made.map(hex), path);
    const root = unhex(roots[size] as string);
    assert.ok(checkInclusion(reference[index] as Uint8Array, index, size, made, root));
  }
});

test('consistency proofs of the reference tree are made and checked (RFC 9162 §2.1.4)', async () => {
  for (const [first, second, path] of consistencies) {
    const made = await consistencyProof(nodesOf(reference), first, second);
    assert.deepEqual(made.map(hex), path);
    assert.ok(
      checkConsistency(
        { size: first, root: unhex(roots[first] as string) },
        { size: second, root: unhex(roots[second] as string) },
        made,
      ),
    );
  }
});

test('every proof of every tree up to 40 leaves holds, and none holds for another leaf, place or root', async () => {
  const leaves = Array.from({ length: 40 }, (_, i) => leafHash(Buffer.from(`leaf ${i}`)));
  const source = nodesOf(leaves);
  const treeRoots: Uint8Array[] = [emptyRoot];
  const end = new TreeEnd();
  for (const leaf of leaves) {
    end.append(leaf);
    treeRoots.push(end.root());
  }
  let checked = 0;
  for (let size = 1; size <= leaves.length; size++) {
    const root = treeRoots[size] as Uint8Array;
    for (let index = 0; index < size; index++) {
      const path = await inclusionProof(source, index, size);
      const leaf = leaves[index] as Uint8Array;
      assert.ok(checkInclusion(leaf, index, size, path, root));
      assert.ok(!checkInclusion(leaves[(index + 1) % 40] as Uint8Array, index, size, path, root));
      assert.ok(!checkInclusion(leaf, index, size, path, treeRoots[size - 1] as Uint8Array));
      assert.ok(!checkInclusion(leaf, index + 1, size, path, root));
      assert.ok(!checkInclusion(leaf, index, size, [...path, leaf], root));
      if (path.length > 0) assert.ok(!checkInclusion(leaf, index, size, path.slice(1), root));
      checked += 1;
    }
    for (let first = 0; first <= size; first++) {
      const path = await consistencyProof(source, first, size);
      const before = { size: first, root: treeRoots[first] as Uint8Array };
      assert.ok(checkConsistency(before, { size, root }, path), `${first} ${size}`);
      if (first > 0)
        assert.ok(
          !checkConsistency({ size: first, root: leaves[0] as Uint8Array }, { size, root }, path) ||
            first === 1,
        );
      if (first > 0) assert.ok(!checkConsistency(before, { size, root: leaves[1] as Uint8Array }, path));
      checked += 1;
    }
  }
  assert.ok(checked > 1600);
});

test('proofs that are no proofs are refused and throw nothing', () => {
  const [a, b] = reference as [Uint8Array, Uint8Array];
  assert.ok(!checkInclusion(a, -1, 2, [b], a));
  assert.ok(!checkInclusion(a, 0.5, 2, [b], a));
  assert.ok(!checkInclusion(a, 0, 2 ** 60, [b], a));
  assert.ok(!checkInclusion(a, 0, 2, [b.subarray(1)], a));
  assert.ok(
    !checkInclusion(
      a,
      0,
      2,
      Array.from({ length: 65 }, () => b),
      a,
    ),
  );
  assert.ok(!checkConsistency({ size: 3, root: a }, { size: 2, root: b }, []));
  assert.ok(!checkConsistency({ size: 1, root: a }, { size: 2, root: b }, []));
});
