import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Incident } from '@ringfence/edge/incidents/types.ts';
import { openBundle } from '@ringfence/evidence/bundle.ts';
import { Bed, password } from './harness/bed.ts';
import { type CommandResult, ringfence, ringfenceDoes } from './harness/command.ts';
import { domain } from './harness/place.ts';
import { until } from './harness/waiting.ts';

const suite = 'AES_CM_128_HMAC_SHA1_80';
let bed: Bed;
/** Another machine: no edge, no data folder. */
let elsewhere: string;

before(async () => {
  elsewhere = mkdtempSync(join(tmpdir(), 'ringfence-court-'));
  bed = await Bed.open({ users: [{ name: 'alice' }, { name: 'bob' }, { name: 'carol' }] });
});
after(async () => {
  rmSync(elsewhere, { recursive: true, force: true });
  await bed.close();
});

const does = (...words: string[]): Promise<string> => ringfenceDoes(bed.home.path, words);
const verified = (...words: string[]): Promise<CommandResult> =>
  ringfence(join(elsewhere, 'data'), ['verify', 'bundle', ...words]);
const textOf = (file: string, name: string): string =>
  Buffer.from(openBundle(readFileSync(file)).parts.get(name) ?? []).toString('latin1');

/** The one that its playbook has made. */
async function preserved(id: string): Promise<string> {
  const folder = join(bed.home.path, 'evidence');
  const made = (): string[] =>
    existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith(`${id}.`)) : [];
  await until('the evidence is on disk', () => made().some((name) => name.endsWith('.tar')));
  const [name = '', ...others] = made();
  assert.deepEqual(others, []);
  return join(folder, name);
}

test('an attack makes an incident, its playbook the evidence, and that is checked on another machine', async () => {
  const key = join(elsewhere, 'public.pem');
  const eve = await bed.phone('alice', 'tcp', { password: 'guessed-0' });
  for (let i = 0; i < 25; i += 1) {
    await eve.register().catch(() => undefined);
    if (bed.edge.events.some(({ type }) => type === 'incident.opened')) break;
  }
  const opened = await bed.edge.event('incident.opened');
  assert.equal(opened.kind, 'brute-force');
  const file = await preserved(String(opened.incident));
  writeFileSync(key, readFileSync(join(bed.home.path, 'ledger-public.pem')));
  const copy = join(elsewhere, 'evidence.tar');
  writeFileSync(copy, readFileSync(file));

  const well = await verified(copy, '--key', key);
  assert.match(well.out, /^Nothing was changed: evidence of INC-/, well.complaint);
  assert.match(well.out, /, [1-9]\d* entries proven by the ledger/);
  const id = /Signed by the key ([0-9a-f ]+)/.exec(well.out)?.[1] ?? '';
  assert.equal((await verified(copy, '--key-id', id)).code, 0);
  assert.deepEqual(
    readdirSync(elsewhere).sort(),
    ['evidence.tar', 'public.pem'],
    'and nothing was made there',
  );

  const ladder = textOf(copy, 'ladder.txt');
  assert.match(ladder, new RegExp(`127\\.0\\.0\\.1:${eve.local.port}`));
  assert.match(ladder, /-+ REGISTER .*-+>\|.* tcp \(1\)/);
  assert.match(ladder, /<-+ 401 /);
  const messages = textOf(copy, 'messages.pcap');
  assert.match(messages, /REGISTER sip:system\.test SIP\/2\.0/);
  assert.doesNotMatch(messages, /response="/, 'what her password could be guessed from');
  assert.match(textOf(copy, 'events.jsonl'), /"event":"threat\.found"/);
  assert.match(textOf(copy, 'configuration.json'), /"whenItBegan": \{/);
  assert.match(textOf(copy, 'custody.jsonl'), /"act":"gathered"/);

  const bytes = readFileSync(copy);
  const at = bytes.indexOf('"event":"threat.found"');
  bytes.write('"event":"nothing.foun"', at);
  writeFileSync(copy, bytes);
  const edited = await verified(copy, '--key', key);
  assert.equal(edited.code, 1);
  assert.match(edited.out, /^edited +events\.jsonl is not what was put in/);
  const nobody = await verified(copy);
  assert.equal(nobody.code, 2, 'without a key');
  eve.close();
});

test('evidence of a call: both sides, what protected it, no keys; every step is in the custody', async () => {
  const carol = await bed.registered('carol', 'tls');
  const bob = await bed.registered('bob', 'tls');
  await bed.connect(carol, bob, 'bob', { from: suite, to: suite });
  const opened = JSON.parse(
    await does('incident', 'open', 'toll-fraud', 'A bill.', '--account', `carol@${domain}`, '--json'),
  ) as Incident;
  const first = await preserved(opened.id);
  const out = join(elsewhere, 'second.tar');
  assert.match(await does('evidence', 'make', opened.id, '--out', out), /SIP messages/);
  assert.equal((await ringfence(bed.home.path, ['evidence', 'make', opened.id, '--out', out])).code, 2);
  assert.equal((await ringfence(bed.home.path, ['evidence', 'make', 'INC-1'])).code, 1);
  assert.match(await does('verify', 'bundle', out), /^Nothing was changed/);
  const shown = await does('evidence', 'show', first);
  assert.match(shown, /A bill\./);
  assert.match(shown, /INVITE/);

  const capture = textOf(out, 'messages.pcap');
  assert.match(capture, /a=crypto:1 \S+ inline:(?:masked)+/);
  const raw = readFileSync(out).toString('latin1');
  assert.ok(!raw.includes(password));
  assert.doesNotMatch(raw, /inline:(?!masked)[A-Za-z0-9+/]{20}/);
  const custody = await does('evidence', 'custody', opened.id);
  for (const act of ['gathered', 'made', 'copied', 'verified \\(unbroken\\)', 'read'])
    assert.match(custody, new RegExp(`  ${act}  `), custody);
  assert.match(await does('verify', 'ledger'), /^Nothing was changed/);
});

const tshark = '/usr/bin/tshark';
test('tshark reads the capture of a call over TLS as SIP and SDP, without malformed marks', {
  skip: existsSync(tshark) ? false : 'tshark is not installed',
}, () => {
  const file = join(elsewhere, 'messages.pcap');
  writeFileSync(file, textOf(join(elsewhere, 'second.tar'), 'messages.pcap'), 'latin1');
  const read = (...more: string[]): string =>
    execFileSync(tshark, ['-r', file, ...more], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 60_000,
    });
  const frames = read('-T', 'fields', '-e', 'frame.protocols').trim().split('\n');
  assert.ok(frames.length >= 10, frames.join());
  for (const protocols of frames) assert.match(protocols, /^raw:ip:udp:sip/);
  assert.ok(frames.filter((one) => one.endsWith('sip:sdp')).length >= 4);
  assert.doesNotMatch(read('-V'), /Malformed|Expert Info \(Error/);
});
