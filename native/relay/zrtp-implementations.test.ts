/**
 * Other people's implementations of ZRTP, as programs that are found through `RINGFENCE_ZRTP_PEERS`: their paths with
 * colons between. Such a program is started with a port of 127.0.0.1 to send to; it prints a line of JSON with its own
 * `port` and `helloHash` (hexadecimal, behind a version and a space), and once it is secure one with `sas`, `send` and
 * `receive`: master key and salt in hexadecimal.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, test } from 'node:test';
import type { Algorithms } from '@ringfence/zrtp/algorithm.ts';
import { parseHelloHash } from '@ringfence/zrtp/zrtp-hash.ts';
import { startRelay } from './client.ts';
import type { Secured } from './handshake.ts';
import { hex, openAll, Phone, until } from './loopback.ts';
import { ZrtpPhone } from './zrtp-phone.ts';

const programs = (process.env.RINGFENCE_ZRTP_PEERS ?? '').split(':').filter((path) => path !== '');
const skip = 'no other implementation of ZRTP: RINGFENCE_ZRTP_PEERS is not set';
if (programs.length === 0) test('other implementations of ZRTP', { skip }, () => {});

interface Announced {
  readonly port: number;
  readonly helloHash: string;
}
interface Keys {
  readonly sas: string;
  readonly send: string;
  readonly receive: string;
}

/** The program, told to send to that port. */
class Program {
  static readonly #running = new Set<ChildProcess>();
  announced: Announced | undefined;
  keys: Keys | undefined;

  constructor(path: string, port: number) {
    const child = spawn(path, [String(port)], { stdio: ['ignore', 'pipe', 'ignore'] });
    Program.#running.add(child);
    createInterface({ input: child.stdout }).on('line', (line) => {
      const said = JSON.parse(line) as Announced | Keys;
      if ('port' in said) this.announced = said;
      else this.keys = said;
    });
  }

  static stopAll(): void {
    for (const child of Program.#running) child.kill();
    Program.#running.clear();
  }
}

const phones: ZrtpPhone[] = [];
afterEach(() => {
  Program.stopAll();
  for (const phone of phones.splice(0)) phone.close();
  Phone.closeAll();
});

/** What we name, and what both do then. */
const offers: readonly [what: string, algorithms: Partial<Algorithms>][] = [
  ['all that we can', {}],
  ['DH3k, AES1, HS32', { keyAgreements: ['DH3k'], ciphers: ['AES1'], authTags: ['HS32'] }],
  ['EC25, AES3, HS80', { keyAgreements: ['EC25'], ciphers: ['AES3'], authTags: ['HS80'] }],
  ['EC38, S384, AES3', { keyAgreements: ['EC38'], hashes: ['S384'], ciphers: ['AES3'] }],
  ['X255, words', { keyAgreements: ['X255'], sasTypes: ['B256'] }],
];

for (const path of programs) {
  const name = basename(path);
  for (const passive of [false, true])
    for (const [what, algorithms] of offers)
      test(`${name}: ${what}, ${passive ? 'its Commit' : 'whoever commits'}: same SAS, mirrored keys`, async (context) => {
        const phone = await ZrtpPhone.open({ algorithms, passive });
        phones.push(phone);
        const program = new Program(path, phone.phone.remote.rtpPort);
        await until(() => program.announced !== undefined, 'its port');
        phone.start(program.announced!.port);
        let keys: { send: string; receive: string } | undefined;
        phone.onKeys = ({ send, receive }) => (keys = { send: hex(send), receive: hex(receive) });
        await until(() => phone.secured !== undefined && program.keys !== undefined, 'keys');
        const { choice, role, sas } = phone.secured!;
        context.diagnostic(`${role}: ${Object.values(choice).join(' ')}`);
        assert.deepEqual(keys, { send: program.keys?.receive, receive: program.keys?.send });
        if (choice.sas === 'B32 ') assert.equal(program.keys?.sas, sas);
        else
          assert.deepEqual(program.keys?.sas.toLowerCase().split(/[^a-z]+/), sas?.toLowerCase().split(' '));
      });

  test(`${name}: with an endpoint of the media process, bound by its hash`, async () => {
    const relay = await startRelay({ threads: 1 });
    after(() => relay.stop());
    let secured: Secured | undefined;
    relay.onEvent((event) => {
      if (event.kind === 'secured') secured = event;
    });
    const [end] = await openAll(relay, [
      { local: '127.0.0.1', ports: 'pair', dscp: 0, suites: [], zrtp: true },
    ]);
    assert.ok(end);
    const program = new Program(path, end.rtpPort);
    await until(() => program.announced !== undefined, 'its port');
    const { port, helloHash } = program.announced!;
    const bare = helloHash.slice(helloHash.indexOf(' ') + 1);
    const parsed = parseHelloHash(`1.10 ${bare}`);
    relay.configure(end.id, {
      media: 'rtp',
      remote: { address: '127.0.0.1', rtpPort: port, rtcpPort: port + 1 },
      zrtp: { mode: 'end', demanded: true, ...(parsed && { helloHash: parsed.helloHash }) },
    });
    await relay.flush();
    await until(() => secured !== undefined && program.keys !== undefined, 'keys');
    assert.equal(secured?.zrtp?.sas, program.keys?.sas);
    assert.ok(parsed, 'it has said what its Hello is');
  });
}
