import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { canonicalJson } from './canonical-json.ts';
import { Chain, type ChainedEntry } from './chain.ts';
import { DamageList } from './damage.ts';
import { decodeHeader, type EntryClass, encodeHeader } from './entry.ts';
import { decodeHead, encodeHead, type SignedHead } from './head.ts';
import { Placement } from './placement.ts';
import { asRemovalAct, Removals } from './removal.ts';
import { encodeParts, sealPart } from './sealed.ts';
import { Verdict, type Verification } from './verdict.ts';
import { ChunkVerifier, type StoredEntry } from './verify-chunk.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const stranger = generateKeyPairSync('ed25519').privateKey;
const ledger = '00112233445566778899aabbccddeeff';
const none = new Uint8Array(0);

interface Made {
  readonly rows: StoredEntry[];
  readonly heads: SignedHead[];
}

const bodyOf = (value: unknown): Uint8Array => Buffer.from(canonicalJson(value));

/** A ledger of `count` calls with a signed head after every ten. */
function make(count: number, chain = new Chain(), text = 'call'): Made {
  const rows: StoredEntry[] = [];
  const heads: SignedHead[] = [];
  const begin = chain.size;
  for (let i = begin; i < begin + count; i++) {
    const entry: EntryClass = i % 5 === 4 ? 'login' : 'call';
    rows.push(
      stored(
        chain.append({
          time: 1000 + i,
          class: entry,
          tenant: 'a.test',
          body: bodyOf({ text, i }),
          sealed: none,
        }),
      ),
    );
    if ((i + 1) % 10 === 0) heads.push(chain.head(ledger, 1000 + i, privateKey));
  }
  return { rows, heads };
}

const stored = ({ sequence, header, body, sealed }: ChainedEntry): StoredEntry => ({
  place: sequence,
  header,
  body,
  sealed,
});

/** As one part, or as parts of sixteen entries: both must find the same. */
function verify({ rows, heads }: Made, chunk?: number): Verification {
  const removals = new Removals();
  for (const { body } of rows) {
    const act = body === undefined ? undefined : asRemovalAct(JSON.parse(Buffer.from(body).toString()));
    if (act !== undefined) removals.add(act);
  }
  const verdict = new Verdict({ ledger, key: publicKey, heads });
  const last = rows.at(-1)?.place ?? 0;
  const length = chunk ?? 2 ** 40;
  for (let begin = 0; begin <= last; begin += length) {
    const verifier = new ChunkVerifier(begin, verdict.sizes, removals);
    for (const row of rows) if (row.place >= begin && row.place < begin + length) verifier.entry(row);
    verdict.add(verifier.finish(begin + length <= last ? begin + length : undefined));
  }
  return verdict.finish();
}

/** Kind and range of everything found, the same in one part and in many. */
function found(made: Made): string[] {
  const text = (v: Verification): string[] => v.damages.map(({ kind, from, to }) => `${kind} ${from}-${to}`);
  const whole = text(verify(made));
  assert.deepEqual(text(verify(made, 16)).sort(), [...whole].sort());
  return whole;
}

const changed = (made: Made, place: number, change: Partial<StoredEntry>): Made => ({
  ...made,
  rows: made.rows.map((row) => (row.place === place ? { ...row, ...change } : row)),
});

test('a ledger that nobody has touched verifies', () => {
  const made = make(100);
  const verification = verify(made);
  assert.deepEqual(verification.damages, []);
  assert.equal(verification.entries, 100);
  assert.equal(verification.heads, 10);
  assert.equal(verify(made, 16).root, verification.root);
});

test('the stored form stays: octets and hashes are those of the first ledgers', () => {
  const chain = new Chain();
  const person = Buffer.alloc(16, 2);
  const [header, sealed] = [0, 1, 2, 3, 4].reduce<readonly Uint8Array[]>((_, n) => {
    const body = { n, b: [1.5, null, -0, 1e21], a: 'Zürich "x"\n', u: undefined, deep: { z: true, y: {} } };
    const part = { ledger: 'aa'.repeat(16), sequence: n, person };
    const entry = chain.append({
      time: 1_790_000_000_000 + n,
      class: n % 2 === 1 ? 'login' : 'call',
      tenant: n === 2 ? '' : 'größe.test',
      body: bodyOf(body),
      sealed:
        n === 0
          ? none
          : encodeParts([sealPart(Buffer.alloc(32, 1), part, Buffer.alloc(12, n), Buffer.from('alice'))]),
    });
    return [entry.header, entry.sealed];
  }, []);
  assert.equal(
    Buffer.from(header ?? none).toString('hex'),
    '010100000000000401a0c4506c040c6772c3b6c39f652e74657374cf2ce35269cc6cdd58bc3d265bb69fa08437ae2922fab5e2559229b4a9391c239f2aa5b54060cff2bae1b96a1f6a7e3b00bbad8868367905530d72f703cc0784',
  );
  assert.equal(
    Buffer.from(sealed ?? none).toString('hex'),
    '02020202020202020202020202020202000000210404040404040404040404048ecd3223fc6917c6e36bfd9cac1209358615912315',
  );
  assert.equal(
    Buffer.from(chain.state.subtrees[0]?.hash ?? none).toString('hex'),
    'e330c64ef577a85d0502342f2affd5a7a4a1f5a898e42920eb57facb224fee86',
  );
});

test('a ledger that was shuffled altogether is told of within bounds', () => {
  const placement = new Placement(2);
  for (let place = 0; place < 10; place += 2) placement.misplaced(place, 100 - place);
  for (let place = 20; place < 30; place += 2) placement.gap(place, place);
  const joined = new Placement(2);
  joined.join(placement.state);
  assert.equal(joined.state.runs.length + joined.state.gaps.length, 4);
  const damages = new DamageList();
  joined.tell(damages);
  assert.deepEqual(
    damages.named.map(({ kind, from, to }) => `${kind} ${from}-${to}`),
    ['dropped 20-20', 'dropped 22-22', 'reordered 0-0', 'reordered 2-2', 'reordered 4-28'],
  );
  assert.match(damages.named.at(-1)?.text ?? '', /^6 more among entries 4 to 28 /);
});

test('an edited content is named', () => {
  const damaged = changed(make(100), 37, { body: bodyOf({ text: 'nothing happened' }) });
  assert.deepEqual(found(damaged), ['edited 37-37']);
  assert.match(verify(damaged).damages[0]?.text ?? '', /^entry 37 was edited: its content/);
});

test('a header that was edited with its content is named, by the entry after it', () => {
  const made = make(100);
  const row = made.rows[37] as StoredEntry;
  const read = decodeHeader(row.header);
  assert.ok(read.ok);
  assert.deepEqual(found(changed(made, 37, { header: encodeHeader({ ...read.value, time: 5 }) })), [
    'edited 37-37',
  ]);
  assert.deepEqual(found(changed(made, 37, { header: row.header.subarray(1) })), ['edited 37-37']);
  // the last of all has none after it: the signed head shows it
  const last = decodeHeader((made.rows[99] as StoredEntry).header);
  assert.ok(last.ok);
  assert.deepEqual(found(changed(made, 99, { header: encodeHeader({ ...last.value, time: 5 }) })), [
    'rewritten 90-99',
  ]);
});

test('a dropped entry is named, also where the gap was closed', () => {
  const made = make(100);
  const without = made.rows.filter(({ place }) => place !== 37);
  assert.deepEqual(found({ ...made, rows: without }), ['dropped 37-37']);
  const closed = without.map((row, place) => ({ ...row, place }));
  assert.deepEqual(found({ ...made, rows: closed }), ['dropped 37-37', 'reordered 37-98', 'truncated 99-99']);
  const several = made.rows.filter(({ place }) => place < 40 || place > 70);
  assert.deepEqual(found({ ...made, rows: several }), ['dropped 40-70']);
});

test('entries that changed places are named', () => {
  const made = make(100);
  const [a, b] = [made.rows[20] as StoredEntry, made.rows[60] as StoredEntry];
  const swapped = changed(changed(made, 20, { ...b, place: 20 }), 60, { ...a, place: 60 });
  assert.deepEqual(found(swapped), ['reordered 20-20', 'reordered 60-60']);
});

test('an end that was cut off is named by the signed heads', () => {
  const made = make(100);
  assert.deepEqual(found({ ...made, rows: made.rows.slice(0, 83) }), ['truncated 83-99']);
});

test('an end cut off together with its heads is named by a head that a witness has kept', () => {
  const made = make(100);
  const cut = { rows: made.rows.slice(0, 80), heads: made.heads.filter(({ size }) => size <= 80) };
  assert.deepEqual(found(cut), [], 'nobody can know without a witness');
  assert.deepEqual(found({ ...cut, heads: [...cut.heads, made.heads.at(-1) as SignedHead] }), [
    'truncated 80-99',
  ]);
});

test('a history written anew with fitting hashes is found by the head before it', () => {
  const first = make(50);
  const chain = new Chain();
  make(37, chain);
  const other = make(63, chain, 'another call');
  const honest = make(100);
  const rows = [...first.rows.slice(0, 37), ...other.rows];
  assert.deepEqual(found({ rows, heads: honest.heads }), ['rewritten 30-99']);
});

test('heads of another key are forged, and count for nothing', () => {
  const made = make(20);
  const forged = new Chain();
  make(20, forged, 'forged');
  const head = forged.head(ledger, 7, stranger);
  assert.deepEqual(found({ ...made, heads: [...made.heads, head] }), ['head-forged 19-19']);
  const foreign = forged.head('ff'.repeat(16), 7, privateKey);
  assert.deepEqual(found({ ...made, heads: [...made.heads, foreign] }), ['head-forged 19-19']);
});

test('two histories told to two witnesses are a fork', () => {
  const made = make(20);
  const other = new Chain();
  make(20, other, 'told to somebody else');
  assert.deepEqual(found({ ...made, heads: [...made.heads, other.head(ledger, 7, privateKey)] }), [
    'forked 19-19',
  ]);
});

test('entries that no head covers are unsigned', () => {
  assert.deepEqual(found(make(24)), ['unsigned 20-23']);
});

test('content that retention took is no damage; content that anybody else took is', () => {
  const chain = new Chain();
  const { rows } = make(40, chain);
  const act = { act: 'retention', class: 'call', tenant: 'a.test', before: 1020, through: 39, count: 16 };
  rows.push(
    stored(chain.append({ time: 2000, class: 'ledger', tenant: 'a.test', body: bodyOf(act), sealed: none })),
  );
  const heads = [chain.head(ledger, 2000, privateKey)];
  const isCall = (i: number): boolean => i % 5 !== 4;
  const gone = { body: undefined, sealed: undefined };
  const kept = rows.map((row) => (row.place < 20 && isCall(row.place) ? { ...row, ...gone } : row));
  assert.deepEqual(found({ rows: kept, heads }), []);
  assert.equal(verify({ rows: kept, heads }).withoutContent, 16);
  // another class, and a newer entry
  assert.deepEqual(found(changed({ rows: kept, heads }, 4, gone)), ['removed 4-4']);
  assert.deepEqual(found(changed({ rows: kept, heads }, 25, gone)), ['removed 25-25']);
});

test('heads are lines of JSON that come back as they were, and nothing else is taken', () => {
  const head = make(10).heads[0] as SignedHead;
  const back = decodeHead(encodeHead(head));
  assert.ok(back.ok);
  assert.equal(encodeHead(back.value), encodeHead(head));
  for (const line of [
    '',
    '{}',
    'null',
    '[]',
    encodeHead(head).replace('"size":10', '"size":-1'),
    encodeHead(head).slice(0, -9),
  ])
    assert.ok(!decodeHead(line).ok, line);
});

test('canonical JSON sorts names, leaves out what is undefined, and refuses what JSON has no word for', () => {
  assert.equal(
    canonicalJson({ b: 1, a: [true, null, undefined], c: undefined, ä: 'x"' }),
    '{"a":[true,null,null],"b":1,"ä":"x\\""}',
  );
  assert.throws(() => canonicalJson({ a: Number.NaN }), { code: 'ledger-value' });
  assert.throws(() => canonicalJson({ a: () => 1 }), { code: 'ledger-value' });
  const loop: Record<string, unknown> = {};
  loop.loop = loop;
  assert.throws(() => canonicalJson(loop), { code: 'ledger-value' });
});
