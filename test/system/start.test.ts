import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { Bed } from './harness/bed.ts';
import { ringfence, ringfenceDoes } from './harness/command.ts';
import { childrenOf, EdgeProcess } from './harness/edge-process.ts';
import { Home } from './harness/place.ts';
import { within } from './harness/waiting.ts';

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

/** Every file and folder below, with what it is. */
function tree(folder: string): { readonly path: string; readonly folder: boolean }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) => ({
    path: join(entry.parentPath, entry.name),
    folder: entry.isDirectory(),
  }));
}

test('the first start makes folder, authority, certificate and database, and says what to do next', async () => {
  const place = new Home();
  const home = join(place.path, 'made', 'by', 'the', 'start');
  try {
    const configuration = place.write(
      'node.yaml',
      'listeners:\n  - { name: phones, transport: tls, address: 127.0.0.1, port: 0 }\n',
    );
    const edge = await EdgeProcess.start(home, ['--config', configuration]);
    try {
      assert.match(String(edge.ofType('edge.ready')[0]?.listeners), /^phones tls 127\.0\.0\.1:\d+$/);
      await within('the banner', bannerOf(edge));
      assert.match(edge.complaint, new RegExp(`phones +tls +127\\.0\\.0\\.1:${edge.at('phones').port}`));
      assert.match(edge.complaint, /user add alice/);
      for (const name of ['ringfence.db', 'keys', join('keys', 'store.key'), join('tls', 'ca.crt')])
        assert.ok(existsSync(join(home, name)), name);
      const ca = new X509Certificate(readFileSync(join(home, 'tls', 'ca.crt')));
      const own = new X509Certificate(readFileSync(join(home, 'tls', 'server.crt')));
      assert.equal(ca.ca, true);
      assert.ok(own.verify(ca.publicKey), 'the certificate is of the local authority');
      assert.equal(modeOf(home), '700');
      for (const { path, folder } of tree(home)) {
        if (folder) assert.equal(modeOf(path), '700', path);
        else if (!path.endsWith('.crt')) assert.equal(modeOf(path), '600', path);
      }
    } finally {
      assert.deepEqual(await edge.stop(), { code: 0, signal: null });
    }
  } finally {
    place.remove();
  }
});

async function bannerOf(edge: EdgeProcess): Promise<void> {
  while (!edge.complaint.includes('Ctrl-C')) await new Promise((again) => setImmediate(again));
}

test('a second start keeps authority, users and UDP registrations', async () => {
  const bed = await Bed.openToRestart({ users: [{ name: 'alice' }, { name: 'bob' }] });
  try {
    const bob = await bed.registered('bob', 'udp');
    const before = {
      ca: readFileSync(join(bed.home.path, 'tls', 'ca.crt'), 'utf8'),
      certificate: readFileSync(join(bed.home.path, 'tls', 'server.crt'), 'utf8'),
      objects: await ringfenceDoes(bed.home.path, ['export']),
    };
    await bed.edge.stop();
    await bed.restart();
    assert.deepEqual(
      {
        ca: readFileSync(join(bed.home.path, 'tls', 'ca.crt'), 'utf8'),
        certificate: readFileSync(join(bed.home.path, 'tls', 'server.crt'), 'utf8'),
        objects: await ringfenceDoes(bed.home.path, ['export']),
      },
      before,
    );
    const alice = await bed.registered('alice', 'tls');
    const call = await bed.connect(alice, bob, 'bob', { from: 'AES_CM_128_HMAC_SHA1_80' });
    assert.equal((await call.caller.hangUp()).status, 200);
  } finally {
    await bed.close();
  }
});

for (const transport of ['udp', 'tcp', 'tls'] as const)
  test(`a taken ${transport} port: the message names listener, holder and setting, and nothing is left behind`, async () => {
    const taken = await occupy(transport === 'udp' ? 'udp' : 'tcp');
    const home = new Home({
      listeners: [
        { name: 'free', transport: 'udp', encryption: 'preferred' },
        { name: 'front', transport, port: taken.port, encryption: 'preferred' },
      ],
    });
    try {
      const edge = EdgeProcess.launch(home.path);
      const exit = await within('the edge gives up', edge.exited, 60_000);
      assert.deepEqual(exit, { code: 5, signal: null });
      assert.match(edge.complaint, /"front"/);
      assert.match(edge.complaint, new RegExp(`127\\.0\\.0\\.1:${taken.port}`));
      assert.match(edge.complaint, new RegExp(`pid ${process.pid}\\b`));
      assert.match(edge.complaint, /listeners\[1\]\.port/);
      assert.equal(edge.ofType('edge.ready').length, 0);
      assert.ok(!existsSync(`/proc/${edge.pid}`), 'no process');
      assert.deepEqual(childrenOf(edge.pid), []);
    } finally {
      await taken.close();
      home.remove();
    }
  });

interface Taken {
  readonly port: number;
  close(): Promise<void>;
}

function occupy(kind: 'udp' | 'tcp'): Promise<Taken> {
  return new Promise((resolve) => {
    if (kind === 'udp') {
      const socket = createSocket('udp4');
      socket.bind(0, '127.0.0.1', () =>
        resolve({
          port: socket.address().port,
          close: () => new Promise((done) => socket.close(() => done())),
        }),
      );
      return;
    }
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : 0,
        close: () => new Promise((done) => server.close(() => done())),
      });
    });
  });
}

test('an unknown key refuses to start and is named with file, line and the nearest known one', async () => {
  const home = new Home();
  try {
    const file = home.write('ringfence.yaml', 'domain: system.test\nlog:\n  levle: info\n');
    const edge = EdgeProcess.launch(home.path);
    assert.deepEqual(await within('the edge gives up', edge.exited, 60_000), { code: 3, signal: null });
    assert.ok(edge.complaint.includes(`${file}:3`), edge.complaint);
    assert.match(edge.complaint, /levle/);
    assert.match(edge.complaint, /\blevel\b/);
    assert.ok(!existsSync(join(home.path, 'ringfence.db')), 'nothing was made');
    const check = await ringfence(home.path, ['check', '--json']);
    assert.equal(check.code, 3);
    const { ok, problems } = JSON.parse(check.out) as { ok: boolean; problems: Record<string, unknown>[] };
    assert.equal(ok, false);
    assert.equal(problems.length, 1);
    assert.equal(problems[0]?.line, 3);
  } finally {
    home.remove();
  }
});

test('plain signalling on a public address refuses to start without the dangerous key, and is told of with it', async () => {
  const line = (more: string): string =>
    `listeners:\n  - { name: front, transport: udp, address: 203.0.113.5, port: 5060, encryption: preferred${more} }\n`;
  const home = new Home();
  try {
    home.write('ringfence.yaml', line(''));
    const edge = EdgeProcess.launch(home.path);
    assert.deepEqual(await within('the edge gives up', edge.exited, 60_000), { code: 3, signal: null });
    assert.match(edge.complaint, /dangerousPlaintext/);
    home.write('ringfence.yaml', line(', dangerousPlaintext: true'));
    const check = await ringfence(home.path, ['check', '--json']);
    assert.equal(check.code, 0, check.complaint);
    assert.match(check.out, /dangerousPlaintext/);
  } finally {
    home.remove();
  }
});
