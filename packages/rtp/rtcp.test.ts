import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { corpusFile, corpusPath, needsCorpus } from '@ringfence/testkit/corpus.ts';
import fc from 'fast-check';
import { parseRtcp, type ReportBlock, type RtcpPacket } from './rtcp.ts';
import { encodeRtcp } from './rtcp-encode.ts';

const codeOf = (octets: ArrayLike<number>, reducedSize = false): string => {
  const result = parseRtcp(Uint8Array.from(octets), { reducedSize });
  return result.ok ? 'ok' : result.error;
};
const emptyReport = [0x80, 201, 0, 1, 0, 0, 0, 7];

test('RFC 3550 6.4 to 6.7: a compound of every type there and back', () => {
  const report: ReportBlock = {
    ssrc: 0xdead_beef,
    fractionLost: 255,
    cumulativeLost: -3,
    highestSequence: 0x1_0002,
    jitter: 17,
    lastSenderReport: 0xffff_ffff,
    delaySinceLastSenderReport: 65_536,
  };
  const packets: RtcpPacket[] = [
    {
      type: 'sender-report',
      ssrc: 1,
      ntpTimestamp: 0xdece_db9b_e26c_2375n,
      rtpTimestamp: 191_072,
      packets: 1190,
      octets: 23_800,
      reports: [report],
      extension: new Uint8Array(0),
    },
    { type: 'receiver-report', ssrc: 2, reports: [report, report], extension: Uint8Array.of(1, 2, 3, 4) },
    {
      type: 'source-description',
      chunks: [
        {
          ssrc: 1,
          items: [
            { type: 1, text: Buffer.from('a@b') },
            { type: 2, text: Buffer.from('') },
          ],
        },
        { ssrc: 2, items: [] },
      ].map(({ ssrc, items }) => ({
        ssrc,
        items: items.map(({ type, text }) => ({ type, text: Uint8Array.from(text) })),
      })),
    },
    {
      type: 'application',
      subtype: 3,
      ssrc: 1,
      name: Uint8Array.of(0x52, 0x46, 0x4e, 0x43),
      data: new Uint8Array(4),
    },
    { type: 'other', packetType: 207, count: 0, body: Uint8Array.of(0, 0, 0, 1) },
    { type: 'bye', ssrcs: [1, 2], reason: Uint8Array.of(0x62, 0x79, 0x65) },
    { type: 'bye', ssrcs: [3] },
  ];
  const result = parseRtcp(encodeRtcp(packets));
  assert.ok(result.ok);
  assert.deepEqual(result.value, packets);
});

test('RFC 3550 6.1 and A.2: what breaks the rules of a compound is refused with its reason', () => {
  assert.equal(codeOf(emptyReport), 'ok');
  assert.equal(codeOf([]), 'short');
  assert.equal(codeOf([0x80, 201, 0]), 'short');
  assert.equal(codeOf([0x80, 201, 0, 2, 0, 0, 0, 7]), 'short');
  assert.equal(codeOf([0x00, ...emptyReport.slice(1)]), 'version');
  assert.equal(codeOf([...emptyReport, 0x80, 100, 0, 0]), 'type');
  assert.equal(codeOf([0x81, 203, 0, 1, 0, 0, 0, 7]), 'compound');
  assert.equal(codeOf([0x81, 203, 0, 1, 0, 0, 0, 7], true), 'ok');
  assert.equal(codeOf([0x81, ...emptyReport.slice(1)]), 'body');
  assert.equal(codeOf(new Array(17).fill(emptyReport).flat()), 'limit');
});

test('RFC 3550 6.4.1: padding ends the last packet alone, in whole words', () => {
  const bye = (padding: number[]) => [0xa1, 203, 0, 1 + padding.length / 4, 0, 0, 0, 7, ...padding];
  assert.equal(codeOf([...emptyReport, ...bye([0, 0, 0, 4])]), 'ok');
  assert.equal(codeOf([...bye([0, 0, 0, 4]), ...emptyReport], true), 'padding');
  assert.equal(codeOf([...emptyReport, ...bye([0, 0, 0, 0])]), 'padding');
  assert.equal(codeOf([...emptyReport, ...bye([0, 0, 0, 3])]), 'padding');
  assert.equal(codeOf([...emptyReport, ...bye([0, 0, 0, 12])]), 'padding');
  assert.equal(codeOf([...emptyReport, ...bye([0, 0, 0, 8])]), 'body');
});

test('RFC 3550 6.5 and 6.6: texts that reach beyond their packet are refused', () => {
  assert.equal(codeOf([0x81, 202, 0, 2, 0, 0, 0, 1, 1, 1, 65, 0], true), 'ok');
  assert.equal(codeOf([0x81, 202, 0, 2, 0, 0, 0, 1, 1, 3, 65, 0], true), 'body');
  assert.equal(codeOf([0x81, 202, 0, 2, 0, 0, 0, 1, 1, 2, 65, 66], true), 'body');
  assert.equal(codeOf([0x82, 202, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0], true), 'body');
  assert.equal(codeOf([0x81, 203, 0, 2, 0, 0, 0, 1, 4, 65, 66, 67], true), 'body');
  // RFC 3550 §6.6: a count of 0 is valid, but useless.
  assert.equal(codeOf([0x80, 203, 0, 0], true), 'ok');
});

test('fields that do not fit are misuse', () => {
  const misuse = (error: unknown) => error instanceof MisuseError;
  assert.throws(() => encodeRtcp([{ type: 'bye', ssrcs: new Array(32).fill(1) }]), misuse);
  assert.throws(
    () => encodeRtcp([{ type: 'other', packetType: 207, count: 0, body: new Uint8Array(3) }]),
    misuse,
  );
  assert.throws(
    () =>
      encodeRtcp([
        { type: 'application', subtype: 0, ssrc: 1, name: new Uint8Array(3), data: new Uint8Array(0) },
      ]),
    misuse,
  );
});

test('property: arbitrary bytes never throw, and what is read is written back the same', () => {
  let read = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(200, 201, 202, 203, 204, 205, 207),
      fc.nat({ max: 3 }),
      fc.uint8Array({ minLength: 4, maxLength: 80 }),
      (packetType, count, rest) => {
        const words = Math.floor(rest.length / 4);
        const bytes = Uint8Array.from([0x80 | count, packetType, 0, words, ...rest.subarray(0, words * 4)]);
        const result = parseRtcp(bytes, { reducedSize: true });
        if (!result.ok) return;
        read += 1;
        const again = parseRtcp(encodeRtcp(result.value), { reducedSize: true });
        assert.ok(again.ok);
        assert.deepEqual(again.value, result.value);
      },
    ),
    { numRuns: 1000 },
  );
  assert.ok(read > 100, `${read}`);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      parseRtcp(bytes, { reducedSize: true });
    }),
    { numRuns: 1000 },
  );
});

test(
  'a captured sender report decodes to the numbers that its source names',
  needsCorpus('pcap/rtcp'),
  () => {
    const result = parseRtcp(corpusFile('pcap/rtcp/rtpproxy-rtcp1.raw'));
    assert.ok(result.ok);
    const expected = JSON.parse(Buffer.from(corpusFile('pcap/rtcp/rtpproxy-rtcp1.json')).toString());
    const [report, description] = result.value;
    assert.ok(report?.type === 'sender-report' && description?.type === 'source-description');
    const [block] = report.reports;
    const info = expected.sender_information;
    const [source] = expected.report_blocks;
    assert.equal(report.ssrc, expected.ssrc);
    assert.equal(Number(report.ntpTimestamp >> 32n), info.ntp_timestamp_sec);
    assert.equal(Number(report.ntpTimestamp & 0xffff_ffffn), info.ntp_timestamp_usec);
    assert.deepEqual(
      [report.rtpTimestamp, report.packets, report.octets],
      [info.rtp_timestamp, info.packets, info.octets],
    );
    assert.deepEqual(Object.values(block!), [
      source.source_ssrc,
      source.fraction_lost,
      source.packets_lost,
      source.highest_seq_no,
      source.ia_jitter,
      source.lsr,
      source.dlsr,
    ]);
    assert.equal(Buffer.from(description.chunks[0]!.items[0]!.text).toString(), '768f0@pjcffd9b.org');
  },
);

test(
  'packets of other implementations: valid ones parse, broken ones do not',
  needsCorpus('rtp-rtcp-packets'),
  () => {
    const code = (name: string) => codeOf(corpusFile(`rtp-rtcp-packets/${name}.bin`), true);
    for (const name of ['rtcp_bye', 'rtcp_rr', 'rtcp_rtpfb', 'rtcp_sdes'])
      assert.equal(code(name), 'ok', name);
    assert.equal(code('rtcp_psfb_invalid'), 'body');
    assert.equal(code('rtcp_sr_invalid'), 'body');
    assert.equal(code('rtcp_sdes_source_truncated'), 'body');
    // Valid by RFC 3550 §6.6, if useless.
    assert.equal(code('rtcp_bye_no_sources'), 'ok');
  },
);

for (const folder of ['fuzz-seeds/pjsip-fuzz-rtcp', 'fuzz-seeds/webrtc-rtcp']) {
  test(`${folder}: seeds and their mutations never throw`, needsCorpus(folder), () => {
    let ran = 0;
    for (const name of readdirSync(corpusPath(folder))) {
      const seed = corpusFile(`${folder}/${name}`);
      for (let at = 0; at < Math.min(seed.length, 300); at += 1) {
        const mutated = Uint8Array.from(seed);
        mutated[at]! ^= 0xff;
        parseRtcp(mutated, { reducedSize: true });
        parseRtcp(seed.subarray(0, at));
        ran += 2;
      }
    }
    assert.ok(ran > 200, `${ran}`);
  });
}
