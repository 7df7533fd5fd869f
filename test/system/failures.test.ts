import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { openServerCertificate } from '@ringfence/edge/certificates/authority.ts';
import { Bed, type Pair } from './harness/bed.ts';
import { talk } from './harness/voice.ts';
import { pause, until, within } from './harness/waiting.ts';

const aYearAgo = 400 * 86_400_000;
const users = [{ name: 'alice' }, { name: 'bob' }];

/** A call goes through whatever is missing: set up, heard, hung up, all without waiting for anything. */
async function calls(bed: Bed, pair: Pair): Promise<void> {
  assert.equal(await talk(pair.callerVoice, pair.calleeVoice, 3), undefined);
  const began = performance.now();
  assert.equal((await pair.caller.hangUp()).status, 200);
  await within('the other side', pair.callee.over);
  assert.ok(performance.now() - began < 3_000);
  assert.ok(bed.edge.alive);
}

const trouble = (bed: Bed, what: string, from = 0) =>
  bed.edge.event('edge.trouble', (event) => event.what === what, from);
const over = (bed: Bed, what: string, from = 0) =>
  bed.edge.event('edge.trouble-over', (event) => event.what === what, from);

async function recorded(bed: Bed, count: number): Promise<void> {
  const records = await until('the records', async () => {
    const found = (await bed.records()).filter(({ endedAt }) => endedAt !== undefined);
    return found.length >= count && found;
  });
  assert.equal(records.length, count);
  assert.equal(new Set(records.map(({ id }) => id)).size, count);
}

test('out of ports: 503, one event for many calls, live calls go on, and it is told when it is over', async () => {
  const bed = await Bed.open({ users }, { mediaPorts: 12 });
  try {
    const alice = await bed.registered('alice', 'udp');
    const bob = await bed.registered('bob', 'udp');
    const first = await bed.connect(alice, bob, 'bob');
    const up: Pair[] = [];
    let refused = 0;
    for (let i = 0; i < 8; i += 1)
      await bed.connect(alice, bob, 'bob').then(
        (pair) => up.push(pair),
        (error: unknown) => {
          assert.match(String(error), /503/);
          refused += 1;
        },
      );
    assert.ok(refused >= 3, `${refused} of 8 were refused`);
    await trouble(bed, 'ports');
    assert.equal(bed.edge.ofType('edge.trouble').length, 1);
    assert.equal(await talk(first.callerVoice, first.calleeVoice, 3), undefined);
    for (const pair of up) assert.equal((await pair.caller.hangUp()).status, 200);
    await until('ports', () => bed.connect(alice, bob, 'bob').catch(() => false as const));
    await over(bed, 'ports');
    await calls(bed, first);
  } finally {
    await bed.close();
  }
});

test('the database is locked by another program: calls go on and end, their records are written when it is free', async () => {
  const bed = await Bed.open({ users });
  try {
    const alice = await bed.registered('alice', 'udp');
    const bob = await bed.registered('bob', 'udp');
    const before = await bed.connect(alice, bob, 'bob');
    const thief = new DatabaseSync(join(bed.home.path, 'ringfence.db'));
    thief.exec('BEGIN IMMEDIATE');
    await calls(bed, before);
    await calls(bed, await bed.connect(alice, bob, 'bob'));
    await trouble(bed, 'database');
    await calls(bed, await bed.connect(alice, bob, 'bob'));
    thief.exec('ROLLBACK');
    thief.close();
    await over(bed, 'database');
    await recorded(bed, 3);
    assert.deepEqual(bed.edge.ofType('edge.error'), []);
  } finally {
    await bed.close();
  }
});

const mounts = process.getuid?.() === 0;

test('the disk is full: calls go on and end, registrations get 503, records are written when there is room', {
  skip: mounts ? false : 'a file system of its own needs root',
}, async () => {
  const bed = await Bed.openToRestart({ users }, { more: { store: '{ file: small/ringfence.db }' } });
  const small = join(bed.home.path, 'small');
  const aside = mkdtempSync(join(tmpdir(), 'ringfence-disk-'));
  await bed.edge.stop();
  for (const name of readdirSync(small)) copyFileSync(join(small, name), join(aside, name));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=0700', 'ringfence', small]);
  try {
    for (const name of readdirSync(aside)) copyFileSync(join(aside, name), join(small, name));
    await bed.restart();
    const alice = await bed.registered('alice', 'udp');
    const bob = await bed.registered('bob', 'udp');
    const live = await bed.connect(alice, bob, 'bob');
    await pause(500);
    const filler = join(small, 'filler');
    const file = openSync(filler, 'w');
    assert.throws(() => {
      for (;;) writeSync(file, new Uint8Array(4096));
    }, /ENOSPC/);
    await calls(bed, live);
    for (let i = 0; i < 4; i += 1) await calls(bed, await bed.connect(alice, bob, 'bob'));
    await trouble(bed, 'disk');
    // Whatever room the log still has, a phone is never told that it is registered when it is not.
    let status = 200;
    for (let i = 0; i < 200 && status === 200; i += 1) status = (await alice.register(600 + i)).status;
    assert.equal(status, 503);
    closeSync(file);
    rmSync(filler);
    await over(bed, 'disk');
    await recorded(bed, 5);
    assert.equal((await alice.register()).status, 200);
    assert.deepEqual(bed.edge.ofType('edge.error'), []);
  } finally {
    await bed.edge.stop();
    execFileSync('umount', ['-l', small]);
    rmSync(aside, { recursive: true, force: true });
    await bed.close();
  }
});

test('the database is damaged: it is put aside, and the edge starts with the objects of its last good copy', async () => {
  const bed = await Bed.openToRestart({ users });
  try {
    const file = join(bed.home.path, 'ringfence.db');
    await until('the good copy', () => readdirSync(bed.home.path).includes('ringfence.db.good'));
    const alice = await bed.registered('alice', 'udp');
    const bob = await bed.registered('bob', 'udp');
    await calls(bed, await bed.connect(alice, bob, 'bob'));
    await bed.edge.stop();
    const damaged = Buffer.alloc(16_384, 'this is no database ');
    writeFileSync(file, damaged);
    await bed.restart();
    const { detail } = await trouble(bed, 'database');
    assert.match(String(detail), /ringfence\.db\.damaged-1/);
    assert.ok(readdirSync(bed.home.path).includes('ringfence.db.damaged-1'));
    const again = await bed.registered('alice', 'udp');
    const other = await bed.registered('bob', 'udp');
    await calls(bed, await bed.connect(again, other, 'bob'));
    await recorded(bed, 1);
  } finally {
    await bed.close();
  }
});

test('out of descriptors: connections beyond are not taken, what is there goes on', {
  skip: process.platform === 'linux' ? false : 'prlimit is a program of Linux',
}, async () => {
  const bed = await Bed.open({ users });
  try {
    const alice = await bed.registered('alice', 'tcp');
    const bob = await bed.registered('bob', 'udp');
    const live = await bed.connect(alice, bob, 'bob');
    const open = readdirSync(`/proc/${bed.edge.pid}/fd`).length;
    execFileSync('prlimit', [`--pid=${bed.edge.pid}`, `--nofile=${open + 4}`]);
    const more = [];
    for (let i = 0; i < 12; i += 1) more.push(await bed.phone('bob', 'tcp').catch(() => undefined));
    await trouble(bed, 'descriptors');
    await calls(bed, live);
    for (const phone of more) phone?.close();
    await pause(200);
    const back = await bed.phone('bob', 'tcp');
    assert.equal((await back.register()).status, 200);
  } finally {
    await bed.close();
  }
});

test('the certificate has expired: the edge starts and says so; calls without TLS go on', async () => {
  const bed = await Bed.openToRestart({ users });
  try {
    await bed.edge.stop();
    const made = join(bed.home.path, 'made');
    mkdirSync(made);
    const { file: certificate, keyFile: key } = openServerCertificate(
      made,
      ['old.test'],
      Date.now() - aYearAgo,
    );
    const ports = [...bed.edge.listeners].map(([name, { port }]) => ({
      name,
      transport: name as 'udp' | 'tcp' | 'tls',
      encryption: 'preferred' as const,
      port,
    }));
    bed.home.configure({
      listeners: ports,
      more: { tls: `{ certificate: ${certificate}, key: ${key} }` },
    });
    await bed.restart();
    assert.match(String((await trouble(bed, 'certificate')).detail), /expired/);
    const alice = await bed.registered('alice', 'tcp');
    const bob = await bed.registered('bob', 'udp');
    await calls(bed, await bed.connect(alice, bob, 'bob'));
  } finally {
    await bed.close();
  }
});
