import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { udpPacket } from '@ringfence/evidence/ip-packet.ts';
import { writePcap } from '@ringfence/evidence/pcap.ts';
import type { LabelledCall } from '@ringfence/fraud/simulate/types.ts';
import { parseMessage } from '@ringfence/sip/message/parse.ts';
import { corpusPath, needsCorpus } from '@ringfence/testkit/corpus.ts';
import { Numbers } from '../../../routing/numbers.ts';
import type { RowProblem } from '../csv.ts';
import { dialledPricingOf, pricingOf, usualPrices } from '../pricing.ts';
import { callsOf } from '../read-file.ts';
import { CallAssembler, type NotJudged } from './call-assembler.ts';

const folder = mkdtempSync(join(tmpdir(), 'captures-'));
after(() => rmSync(folder, { recursive: true }));
const numbers = new Numbers('DE', ['112']);
const dialledPrice = dialledPricingOf(usualPrices, numbers, 'DE');
const isEmergency = (dialled: string): boolean => numbers.isEmergency(dialled);
const began = Date.UTC(2026, 1, 8, 2, 14);
const phone = { address: '203.0.113.5', port: 5060 };
const edge = { address: '192.0.2.1', port: 5060 };

interface Parts {
  id?: string;
  number?: string;
  toTag?: string;
  cseq?: number;
  from?: string;
  user?: string;
}

/** `INVITE`, `BYE`, or the status of an answer to an INVITE. */
function sip(
  start: string | number,
  { id = 'a', number = '0053512345678', toTag = '', cseq = 1, from, user }: Parts = {},
) {
  const method = typeof start === 'number' ? 'INVITE' : start;
  const line =
    typeof start === 'number' ? `SIP/2.0 ${start} Words` : `${start} sip:${number}@example.test SIP/2.0`;
  return [
    line,
    'Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bKabc',
    `From: <sip:${from ?? 'alice@example.test'}>;tag=${id}`,
    `To: <sip:${number}@example.test>${toTag === '' ? '' : `;tag=${toTag}`}`,
    `Call-ID: ${id}`,
    `CSeq: ${cseq} ${method}`,
    'Max-Forwards: 70',
    ...(user === undefined
      ? []
      : [`Authorization: Digest username="${user}", realm="r", nonce="n", uri="sip:x", response="00"`]),
    'Content-Length: 0\r\n\r\n',
  ].join('\r\n');
}

type Timed = readonly (readonly [seconds: number, text: string])[];

const call: Timed = [
  [0, sip('INVITE')],
  [0.1, sip(401, { toTag: 'x' })],
  [0.2, sip('INVITE', { cseq: 2, user: 'alice-account' })],
  [0.3, sip(180, { cseq: 2, toTag: 'b' })],
  [4.2, sip(200, { cseq: 2, toTag: 'b' })],
  [5, sip('INVITE', { cseq: 3, toTag: 'b' })],
  [64.2, sip('BYE', { cseq: 4, toTag: 'b' })],
];
const captured = (timed: Timed) =>
  timed.map(([seconds, text]) => ({
    time: began + seconds * 1_000,
    from: phone,
    to: edge,
    transport: 'udp',
    sent: false,
    bytes: Buffer.from(text),
  }));

/** A capture as pcapng, big-endian, nanoseconds, Ethernet with a VLAN. */
function pcapng(timed: Timed): Buffer {
  const block = (type: number, body: Buffer): Buffer => {
    const padded = Buffer.concat([body, Buffer.alloc((4 - (body.length % 4)) % 4)]);
    const all = Buffer.alloc(8);
    all.writeUInt32BE(type, 0);
    all.writeUInt32BE(padded.length + 12, 4);
    return Buffer.concat([all, padded, all.subarray(4)]);
  };
  const link = Buffer.from([0, 1, 0, 0, 0, 0, 0xff, 0xff, 0, 9, 0, 1, 9, 0, 0, 0, 0, 0, 0, 0]);
  const ethernet = Buffer.concat([Buffer.alloc(12), Buffer.from([0x81, 0, 0, 7, 8, 0])]);
  return Buffer.concat([
    block(0x0a0d_0d0a, Buffer.from('1a2b3c4d00010000ffffffffffffffff', 'hex')),
    block(1, link),
    block(5, Buffer.alloc(12)),
    ...timed.map(([seconds, text]) => {
      const packet = Buffer.concat([ethernet, udpPacket(phone, edge, Buffer.from(text))]);
      const head = Buffer.alloc(20);
      head.writeBigUInt64BE(BigInt(began + seconds * 1_000) * 1_000_000n, 4);
      head.writeUInt32BE(packet.length, 12);
      head.writeUInt32BE(packet.length, 16);
      return block(6, Buffer.concat([head, packet]));
    }),
  ]);
}

let files = 0;
async function read(
  bytes: Uint8Array | string,
  most?: number,
): Promise<{ calls: LabelledCall[]; problems: RowProblem[]; left: NotJudged | undefined }> {
  const file = join(folder, String(files++));
  writeFileSync(file, bytes);
  const calls: LabelledCall[] = [];
  const problems: RowProblem[] = [];
  let left: NotJudged | undefined;
  const options = {
    zone: undefined,
    domain: 'default.test',
    price: pricingOf(usualPrices, 'DE'),
    dialledPrice,
    isEmergency,
    problem: (problem: RowProblem) => problems.push(problem),
    notJudged: (counts: NotJudged) => {
      left = counts;
    },
    ...(most === undefined ? {} : { most }),
  };
  for await (const one of callsOf(file, options)) calls.push(one);
  return { calls, problems, left };
}

describe('captures', () => {
  it('become calls, from pcap, pcapng and packets of HEP alike', async () => {
    const hep = call.map(([seconds, text], i) => {
      const ms = began + seconds * 1_000;
      return i % 2 === 0
        ? {
            protocol_header: { timeSeconds: Math.floor(ms / 1_000), timeUseconds: (ms % 1_000) * 1_000 },
            raw: text,
          }
        : { timestamp: new Date(ms).toISOString(), Payload: text };
    });
    for (const file of [
      writePcap(captured(call)),
      pcapng(call),
      `${hep.map((one) => JSON.stringify(one)).join('\n')}\n`,
    ]) {
      const { calls, problems } = await read(file);
      deepEqual(problems, []);
      equal(calls.length, 1);
      const [{ facts, seconds, setupSeconds, incoming }] = calls as [LabelledCall];
      deepEqual(
        [facts.at, facts.domain, facts.account, facts.called, facts.country, facts.risk, incoming],
        [began, 'example.test', 'alice-account', '53512345678', 'CU', 'high', false],
      );
      equal(Math.round(seconds * 10), 600);
      equal(Math.round(setupSeconds * 10), 42);
    }
  });

  it('give calls in the order of their beginnings, whichever end first, and say which have no end', async () => {
    const { calls, problems, left } = await read(
      writePcap(
        captured([
          [0, sip('INVITE', { id: 'long', from: '100@192.0.2.9' })],
          [1, sip(200, { id: 'long', toTag: 'b' })],
          [2, sip('INVITE', { id: 'busy' })],
          [3, sip(486, { id: 'busy', toTag: 'b' })],
          [3.5, sip('INVITE', { id: 'busy', cseq: 2 })],
          [3.6, sip(486, { id: 'busy', cseq: 2, toTag: 'b' })],
          [4, sip('INVITE', { id: 'guess' })],
          [5, sip(401, { id: 'guess', toTag: 'b' })],
          [6, sip('INVITE', { id: 'name', number: 'bob' })],
          [7, sip('INVITE', { id: 'help', number: '112' })],
          [60, sip('REGISTER', { id: 'r' })],
          [61, sip('BYE', { id: 'unknown', toTag: 'c' })],
        ]),
      ),
    );
    deepEqual(
      calls.map(({ facts, seconds }) => [facts.domain, facts.account, Math.round(seconds)]),
      [
        ['default.test', '100', 60],
        ['example.test', 'alice', 0],
        ['example.test', 'alice', 0],
      ],
    );
    deepEqual(left, { names: 2, unproven: 1 });
    deepEqual(
      problems.map(({ row, place }) => [row, place]),
      [[1, 'packet']],
    );
    match(problems[0]!.problem, /no end in the capture/);
  });

  it('with faults are told by the number of the packet, and the others are read', async () => {
    const good = Buffer.from(writePcap(captured(call)));
    const broken = Buffer.from(
      writePcap(captured([[70, sip('INVITE', { id: 'bad' }).replace('CSeq: 1', 'CSeq: x')]])),
    );
    const cut = Buffer.from(writePcap(captured([[71, sip('INVITE', { id: 'cut' })]]))).subarray(24, 90);
    const { calls, problems } = await read(Buffer.concat([good, broken.subarray(24), cut]));
    equal(calls.length, 1);
    deepEqual(
      problems.map(({ row, place }) => [row, place]),
      [
        [8, 'packet'],
        [9, 'packet'],
      ],
    );
    match(problems[1]!.problem, /ends in the middle/);
    const fragment = Buffer.from(
      writePcap(captured([[0, sip('INVITE').replace('Content-Length: 0', 'Content-Length: 9')]])),
    );
    fragment[24 + 16 + 6] = 0x20;
    match((await read(fragment)).problems[0]!.problem, /fragment/);
    // Whole seconds in place of nanoseconds.
    const late = pcapng(call);
    late[28 + 8 + 12] = 0;
    const { calls: none, problems: times } = await read(late);
    equal(none.length, 0);
    ok(times.length > 3 && times.every(({ problem }) => /after 2100/.test(problem)), JSON.stringify(times));
    const lines = await read(
      `${JSON.stringify({ ts: began / 1_000, raw: sip('INVITE') })}\n{"ts":1}\n{"raw":"x`,
    );
    deepEqual(
      lines.problems.map(({ row, place }) => [row, place]),
      [
        [2, 'line'],
        [3, 'line'],
      ],
    );
  });

  it('that cannot be read further are refused, wherever that is', async () => {
    const pcap = Buffer.from(writePcap(captured(call)));
    const huge = Buffer.from(pcap);
    huge.writeUInt32LE(0x7fff_ffff, 24 + 8);
    await rejects(read(huge), /packet 1 claims 2147483647 octets/);
    const link = Buffer.from(pcap);
    link.writeUInt32LE(147, 20);
    await rejects(read(link), /packet 1 is of a link of type 147/);
    await rejects(read(pcap.subarray(0, 9)), /ends in its header/);
    const blocks = pcapng(call);
    blocks.writeUInt32BE(3, 28 + 4);
    await rejects(read(blocks), /behind packet 0 a block claims 3 octets/);
  });

  it('of any bytes neither throw anything else nor hang', async () => {
    for (const whole of [Buffer.from(writePcap(captured(call))), pcapng(call)])
      for (let i = 0; i < 300; i += 1) {
        const bytes = Buffer.from(whole);
        for (let k = 0; k < 3; k += 1)
          bytes[4 + ((i * 7919 + k * 104_729) % (bytes.length - 4))]! ^= 1 << ((i + k) % 8);
        await read(bytes).catch((error: Error) => equal(error.name, 'UnusableFile', error.stack));
      }
  });

  it('hold no more calls at a time than they may: the oldest is given with the length that it had by then', () => {
    const problems: string[] = [];
    const assembler = new CallAssembler({
      domain: 'x',
      price: dialledPrice,
      isEmergency,
      problem: (packet, text) => problems.push(`${packet} ${text}`),
      most: 100,
    });
    const given: LabelledCall[] = [];
    const take = (packet: number, text: string): void => {
      const message = parseMessage(Buffer.from(text));
      ok(message.ok);
      given.push(...assembler.take(packet, began + packet, message.value));
    };
    for (let i = 0; i < 3_000; i += 1) {
      take(2 * i, sip('INVITE', { id: `c${i}` }));
      take(2 * i + 1, sip(200, { id: `c${i}`, toTag: 'b' }));
    }
    equal(given.length, 2_900);
    ok(given.every(({ seconds }) => seconds > 0));
    match(problems[0]!, /^0 the call that begins here goes on while 100 others have begun/);
    given.push(...assembler.finish());
    equal(given.length, 3_000);
  });

  it('of others are read', needsCorpus('pcap/sip-calls'), async (t) => {
    for (const name of ['pcap/sip-calls/sip-rtp-g711.pcap', 'pcap/sip-calls/b2bua-asterisk.pcapng']) {
      let calls = 0;
      const problems: RowProblem[] = [];
      let left: NotJudged | undefined;
      for await (const one of callsOf(corpusPath(name), {
        zone: 0,
        domain: 'x',
        price: dialledPrice,
        dialledPrice,
        isEmergency,
        problem: (problem) => problems.push(problem),
        notJudged: (counts) => {
          left = counts;
        },
      })) {
        calls += 1;
        ok(one.seconds >= 0);
      }
      t.diagnostic(`${name}: ${calls} calls, ${JSON.stringify(left)}, ${JSON.stringify(problems)}`);
      ok(calls + (left?.names ?? 0) + (left?.unproven ?? 0) > 0, name);
    }
  });
});
