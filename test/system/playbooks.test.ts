import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Incident } from '@ringfence/edge/incidents/types.ts';
import { SMTPServer } from 'smtp-server';
import type { Agent } from './harness/agent.ts';
import { Bed } from './harness/bed.ts';
import { ringfenceDoes } from './harness/command.ts';
import { domain } from './harness/place.ts';
import { until } from './harness/waiting.ts';

// Loopback is never banned. So this runs in a network namespace of its own, with addresses that are nobody's (RFC 5737).
const inside = process.env.RINGFENCE_TEST_NAMESPACE === '1';
const edgeAddress = '198.51.100.1';
const thief = '192.0.2.66';
const home = '198.51.100.10';
const trunkAddress = '198.51.100.9';

/** As shipped, but for a minute, and without waiting for anybody. */
const ownPlaybook = `name: toll-fraud
version: 9
title: Somebody calls at your expense.
incidents: [toll-fraud]
steps:
  - endCalls: { text: End the calls., mode: approval }
  - closeRoute: { text: Close the routes., mode: approval, minutes: 1 }
  - ban: { text: Do not listen., mode: automatic, minutes: 1 }
  - quarantine: { text: Put the account aside., mode: approval, minutes: 1 }
  - revokeSecret: { text: Take the password no more., mode: approval, minutes: 1 }
`;

if (!inside) {
  const can =
    process.platform === 'linux' &&
    spawnSync('unshare', ['-n', 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' }).status === 0;
  const skip = can ? false : 'a network namespace cannot be made here (root, unshare and ip are needed)';
  test('each step of the playbooks changes the running edge, and is taken back or runs out', { skip }, () => {
    const addresses = [edgeAddress, thief, home, trunkAddress];
    const script = `ip link set lo up && ${addresses.map((a) => `ip addr add ${a}/32 dev lo`).join(' && ')} && exec "$0" "$@"`;
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const { status, stdout } = spawnSync(
      'unshare',
      [
        ...['-n', 'sh', '-c', script, process.execPath, '--test', '--test-reporter=tap'],
        fileURLToPath(import.meta.url),
      ],
      { env: { ...environment, RINGFENCE_TEST_NAMESPACE: '1' }, encoding: 'utf8', timeout: 240_000 },
    );
    assert.equal(status, 0, stdout);
    assert.match(stdout, /^# pass 2$/m, stdout);
  });
} else {
  let bed: Bed;
  let trunk: Agent;
  const mails: string[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'rf-playbooks-'));
  writeFileSync(join(folder, 'toll-fraud.yaml'), ownPlaybook);
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData: (stream, session, done) => {
      let text = session.envelope.rcptTo.map(({ address }) => `${address}\n`).join('');
      stream.on('data', (chunk: Buffer) => {
        text += chunk.toString('utf8');
      });
      stream.on('end', () => {
        mails.push(text);
        done();
      });
    },
  });

  before(async () => {
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()));
    const { port } = server.server.address() as AddressInfo;
    const plain = { address: edgeAddress, encryption: 'preferred', dangerousPlaintext: true } as const;
    bed = await Bed.open(
      {
        users: [{ name: 'alice', email: 'alice@mail.test' }, { name: 'bob' }, { name: 'carol' }],
      },
      {
        listeners: [
          { name: 'udp', transport: 'udp', ...plain },
          { name: 'tcp', transport: 'tcp', ...plain },
        ],
        more: {
          detection: '{ rules: { brute-force: watch } }',
          incidents: `{ playbooks: ${folder} }`,
          mail: `{ host: 127.0.0.1, port: ${port}, security: none, dangerousPlaintext: true, from: edge@mail.test }`,
        },
      },
    );
    trunk = await bed.phone('carrier', 'udp', { from: trunkAddress });
    await bed.apply({
      trunks: [
        {
          name: 'carrier',
          target: `sip:${trunkAddress}:${trunk.local.port}`,
          addresses: [trunkAddress],
          encryption: 'none',
          dangerousPlaintext: true,
        },
      ],
      routes: [{ name: 'out', match: 'default', to: { trunk: 'carrier' } }],
    });
  });
  after(async () => {
    await bed?.close();
    rmSync(folder, { recursive: true, force: true });
    await new Promise<void>((done) => server.close(() => done()));
  });

  const does = (...words: string[]): Promise<string> => ringfenceDoes(bed.home.path, ['incident', ...words]);
  const shown = async (id: string): Promise<Incident> =>
    JSON.parse(await does('show', id, '--json')) as Incident;
  const stepOf = ({ steps }: Incident, action: string): string =>
    String(1 + steps.findIndex((step) => step.action === action));
  const calls = async (from: Agent, number: string): Promise<number> => {
    trunk.onInvite = (incoming) => incoming.respond(486, 'Busy Here');
    const { answer } = await from.call(number, (await bed.voice('RTP', home)).describe());
    return answer.status;
  };
  const hears = async (from: string): Promise<boolean> => {
    try {
      const phone = await bed.phone('carol', 'tcp', { from });
      await phone.send('OPTIONS', { patienceMs: 1500 }).final;
      return true;
    } catch {
      return false;
    }
  };

  test('a hijack: the account is put aside, every phone is signed out and must prove itself anew, its user gets mail', async () => {
    const alice = await bed.registered('alice', 'tcp', { from: home });
    const guess = await bed.phone('alice', 'tcp', { from: thief, password: 'wrong-Horse-7-battery' });
    for (let i = 0; i < 9; i += 1) await guess.register();
    const eve = await bed.phone('alice', 'tcp', { from: thief, instance: 'another' });
    // The connection may be at an end before the answer.
    void eve.register().catch(() => undefined);
    const found = await bed.edge.event('threat.found', ({ rule }) => rule === 'registration-hijack');
    assert.equal(found.domain, domain);
    const opened = await bed.edge.event('incident.opened', ({ kind }) => kind === 'registration-hijack');
    const id = String(opened.incident);
    await until('both connections are at an end', () => alice.wire.closed && eve.wire.closed);
    const [mail = ''] = await until('the mail', () => (mails.length > 0 ? mails : undefined));
    assert.match(mail, /^alice@mail\.test\n/);
    assert.match(mail, /Somebody else seems to have signed in/);
    assert.ok(!mail.includes(thief) && !mail.includes('battery'));
    const back = await bed.registered('alice', 'tcp', { from: home });
    assert.equal(await calls(back, '+4989555'), 403, 'in quarantine until somebody says that it is her');
    const incident = await until('the evidence, and that the mail has gone', async () => {
      const now = await shown(id);
      const isDone = (wanted: string): boolean =>
        now.steps.some(({ action, done }) => action === wanted && done.length > 0);
      return isDone('preserve') && isDone('tellUser') ? now : undefined;
    });
    for (const action of ['quarantine', 'deregister', 'preserve', 'tellUser', 'notify'] as const)
      assert.ok(
        incident.steps.some((step) => step.action === action && step.done[0]?.outcome === 'done'),
        action,
      );
    const evidence =
      incident.steps.find(({ action, done }) => action === 'preserve' && done.length > 0)?.done[0]?.detail ??
      '';
    assert.ok(existsSync(evidence), evidence);
    // A revoked password proves nothing any more, but who calls for help.
    await does('approve', id, stepOf(incident, 'revokeSecret'));
    assert.equal((await (await bed.phone('alice', 'tcp', { from: home })).register()).status, 401);
    assert.equal(await calls(await bed.phone('alice', 'tcp', { from: home }), '112'), 486);
    await does('undo', id, stepOf(incident, 'revokeSecret'));
    await does('undo', id, stepOf(incident, 'quarantine'));
    // Detection has put the phone itself aside, too.
    await ringfenceDoes(bed.home.path, ['user', 'release', 'alice', '--device', 'alice']);
    const free = await bed.registered('alice', 'tcp', { from: home });
    await until('she calls again', async () => (await calls(free, '+4989555')) === 486);
  });

  test('ban, quarantine, closed route and revoked password are taken back, or end by themselves', async () => {
    const bob = await bed.registered('bob', 'tcp', { from: home });
    const incident = JSON.parse(
      await does(
        'open',
        'toll-fraud',
        'Strange calls.',
        '--account',
        `bob@${domain}`,
        '--source',
        thief,
        '--json',
      ),
    ) as Incident;
    const { id } = incident;
    const step = (action: string): string => stepOf(incident, action);
    assert.equal(await hears(thief), false, 'banned');
    // A call of the account joins the incident, and with it its route.
    const call = await bed.connect(bob, trunk, '+4989555', { place: home, toPlace: trunkAddress });
    await until('the call has joined', async () => (await shown(id)).calls.names.length > 0);
    await does('approve', id, step('endCalls'));
    await until('both sides hear BYE', () => call.caller.ended && call.callee.ended);
    assert.equal(await calls(bob, '+4989555'), 503, 'once approved it holds for those who come later');

    const carol = await bed.registered('carol', 'tcp', { from: home });
    const states = async (): Promise<readonly boolean[]> => [
      await hears(thief),
      (await calls(carol, '+4989555')) === 486,
      (await calls(carol, '112')) === 486,
      (await calls(await bed.phone('bob', 'tcp', { from: home }), 'carol')) !== 403,
      (await (await bed.phone('bob', 'tcp', { from: home })).register()).status === 200,
    ];
    carol.onInvite = (incoming) => incoming.respond(486, 'Busy Here');
    await does('approve', id, step('closeRoute'));
    await does('approve', id, step('quarantine'));
    assert.deepEqual(await states(), [false, false, true, false, true]);
    await does('approve', id, step('revokeSecret'));
    assert.equal((await states())[4], false);
    for (const action of ['ban', 'closeRoute', 'quarantine', 'revokeSecret'])
      await does('undo', id, step(action));
    assert.deepEqual(await states(), [true, true, true, true, true], 'taken back');

    // The same once more, by another incident, and nobody takes it back.
    await does('close', id);
    const again = JSON.parse(
      await does('open', 'toll-fraud', 'Again.', '--account', `bob@${domain}`, '--source', thief, '--json'),
    ) as Incident;
    const second = await bed.connect(bob, trunk, '+4989556', { place: home, toPlace: trunkAddress });
    await until('the call has joined', async () => (await shown(again.id)).calls.names.length > 0);
    await second.caller.hangUp();
    for (const action of ['closeRoute', 'quarantine', 'revokeSecret'])
      await does('approve', again.id, step(action));
    assert.deepEqual(await states(), [false, false, true, true, false]);
    await until('all of it has run out', async () => (await states()).every((well) => well), 90_000);
    await until('the incident says so', async () =>
      (await shown(again.id)).steps.every(
        ({ action, done }) => action === 'endCalls' || done.at(-1)?.outcome === 'expired',
      ),
    );
  });
}
