import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { corpusFile, corpusPath, needsCorpus } from '@ringfence/testkit/corpus.ts';
import fc from 'fast-check';
import { parseMessage } from '../message/parse.ts';
import { type StreamEvent, StreamFramer } from './stream.ts';

const head = [
  'OPTIONS sip:b@example.com SIP/2.0',
  'Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKabc',
  'From: <sip:a@example.com>;tag=1',
  'To: <sip:b@example.com>',
  'Call-ID: x@y',
  'CSeq: 1 OPTIONS',
];
const message = (lines: readonly string[], body = ''): Buffer =>
  Buffer.from(`${[...head, ...lines].join('\r\n')}\r\n\r\n${body}`);

const drain = (framer: StreamFramer): StreamEvent[] => {
  const events: StreamEvent[] = [];
  for (let event = framer.next(); event !== undefined; event = framer.next()) events.push(event);
  return events;
};

/** Events in a form that can be compared: octets as text, refusals as their status. */
const told = (events: readonly StreamEvent[]): readonly unknown[] =>
  events.map((event) => {
    if (event.kind === 'message') return Buffer.from(event.bytes).toString('latin1');
    if (event.kind === 'keepalive') return event.reply ? 'ping' : 'pong';
    return [event.code, event.respond?.status];
  });

const whole = (bytes: Uint8Array): readonly unknown[] => {
  const framer = new StreamFramer();
  framer.push(bytes);
  return told(drain(framer));
};

const cut = (bytes: Uint8Array, ends: readonly number[]): readonly unknown[] => {
  const framer = new StreamFramer();
  const events: StreamEvent[] = [];
  let from = 0;
  for (const end of [...ends, bytes.length]) {
    framer.push(bytes.subarray(from, end));
    events.push(...drain(framer));
    from = end;
  }
  return told(events);
};

describe('messages', () => {
  test('RFC 3261 §18.3 messages in one chunk, with the empty lines of §7.5 between them', () => {
    const first = message(['Content-Length: 4'], 'body');
    const second = message(['l:0']);
    const stream = Buffer.concat([Buffer.from('\r\n'), first, Buffer.from('\r\n'), second]);
    assert.deepEqual(whole(stream), [first.toString('latin1'), second.toString('latin1')]);
  });

  test('RFC 3261 §7.3.1 Content-Length in every legal spelling', () => {
    for (const line of [
      'Content-Length: 2',
      'content-length:2',
      'L : 2',
      'l\t:\t2 ',
      'Content-Length:\r\n 2',
      'l:\r\n\t2\r\n ',
      'l: 0002',
    ]) {
      const bytes = message([line, 'Link: 9', 'X-Content-Length: 7'], 'ab');
      assert.deepEqual(whole(bytes), [bytes.toString('latin1')], line);
      assert.ok(parseMessage(bytes, undefined, { stream: true }).ok, line);
    }
  });

  test('the parser and the framer agree on every message that the framer lets through', () => {
    let ran = 0;
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom(
            'Content-Length',
            'l',
            ' ',
            '\t',
            ':',
            '2',
            '0',
            '-',
            ',',
            '\r\n',
            'X',
            '\x01',
            'Contact',
          ),
          { maxLength: 12 },
        ),
        (pieces) => {
          ran++;
          const bytes = message([pieces.join('')], 'ab\r\n\r\n');
          const framer = new StreamFramer();
          framer.push(bytes);
          const event = framer.next();
          if (event?.kind !== 'message') return;
          const parsed = parseMessage(event.bytes, undefined, { stream: true });
          // Whatever the framer took for the length, the parser takes too, or refuses the message.
          if (parsed.ok)
            assert.equal(
              parsed.value.body.length,
              Number(/(?:^|\r\n)(?:content-length|l)[ \t]*:\s*(\d+)/i.exec(bytes.toString('latin1'))?.[1]),
            );
        },
      ),
      { numRuns: 2000 },
    );
    assert.equal(ran, 2000);
  });
});

describe('S2 lengths that cannot be followed', () => {
  for (const [lines, code, status] of [
    [[], 'missing-content-length', 400],
    [['Content-Length: -1'], 'bad-content-length', 400],
    [['Content-Length: +1'], 'bad-content-length', 400],
    [['Content-Length: 2147483648'], 'bad-content-length', 400],
    [['Content-Length: 18446744073709551617'], 'bad-content-length', 400],
    [['Content-Length: 4294967296'], 'bad-content-length', 400],
    [['Content-Length: 1,1'], 'bad-content-length', 400],
    [['Content-Length: 1 1'], 'bad-content-length', 400],
    [['Content-Length: 1\r\n 1'], 'bad-content-length', 400],
    [['Content-Length: 0x1'], 'bad-content-length', 400],
    [['Content-Length:'], 'bad-content-length', 400],
    [['Content-Length: 1', 'l: 2'], 'duplicate-header', 400],
    [['Content-Length: 1', 'Content-Length: 1'], 'duplicate-header', 400],
    [['Content-Length: 65537'], 'body-too-large', 413],
    [['Content-Length: 2147483647'], 'body-too-large', 413],
  ] as const) {
    test(`${JSON.stringify(lines)} is answered ${status} and ends the stream`, () => {
      const framer = new StreamFramer();
      framer.push(message(lines, 'INVITE sip:smuggled@example.com SIP/2.0\r\n\r\n'));
      assert.deepEqual(told(drain(framer)), [[code, status]]);
      framer.push(message(['l: 0']));
      assert.deepEqual(drain(framer), []);
      assert.equal(framer.pending, 0);
    });
  }

  test('nothing is answered where nothing can be, and lone line ends end the stream', () => {
    assert.deepEqual(whole(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')), [
      ['missing-content-length', undefined],
    ]);
    assert.deepEqual(whole(Buffer.from('GET / HTTP/1.1\nHost: a\n\n')), [['bad-line-end', undefined]]);
    assert.deepEqual(whole(Buffer.from('OPTIONS\rx')), [['bad-line-end', undefined]]);
    assert.deepEqual(whole(Buffer.from('\rx')), [['bad-line-end', undefined]]);
  });
});

describe('S3 memory and work', () => {
  test('a declared length allocates nothing', () => {
    const framer = new StreamFramer({ bodySize: 2 ** 31 });
    const before = process.memoryUsage().arrayBuffers;
    framer.push(message(['Content-Length: 2147483647'], 'x'));
    assert.equal(framer.next(), undefined);
    framer.push(Buffer.from('x'));
    assert.equal(framer.next(), undefined);
    assert.ok(process.memoryUsage().arrayBuffers - before < 100_000);
  });

  test('an endless header block ends at the limit', () => {
    const framer = new StreamFramer();
    let pushed = 0;
    let events: StreamEvent[] = [];
    const line = Buffer.from(`X: ${'a'.repeat(95)}\r\n`);
    framer.push(Buffer.from(`${head[0]}\r\n`));
    while (events.length === 0 && pushed < 100_000) {
      framer.push(line);
      pushed += line.length;
      events = drain(framer);
    }
    assert.deepEqual(told(events), [['header-too-large', undefined]]);
    assert.ok(pushed <= 16_384 + 200);
  });

  test('one octet at a time costs work linear in the octets, and the same events', () => {
    const stream = Buffer.concat(
      Array.from({ length: 20 }, (_, i) => message([`l: ${i * 100}`], 'x'.repeat(i * 100))),
    );
    const framer = new StreamFramer();
    const events: StreamEvent[] = [];
    for (let i = 0; i < stream.length; i++) {
      framer.push(stream.subarray(i, i + 1));
      events.push(...drain(framer));
    }
    assert.deepEqual(told(events), whole(stream));
    assert.ok(framer.work <= 5 * stream.length, `${framer.work} for ${stream.length}`);
    assert.equal(framer.pending, 0);
  });

  test('S17 work per octet does not grow with the size, whatever the octets', () => {
    for (const piece of ['a', 'l:', 'l: 1\r\n', '\r\n ', 'X: y\r\n', 'Content-Length', ' ', ':']) {
      const perOctet = [1000, 4000, 16_000].map((size) => {
        const framer = new StreamFramer({ headerSize: 100_000 });
        const bytes = Buffer.from(`x\r\n${piece.repeat(size / piece.length)}`);
        for (let i = 0; i < bytes.length; i++) {
          framer.push(bytes.subarray(i, i + 1));
          framer.next();
        }
        return framer.work / bytes.length;
      });
      assert.ok(
        perOctet.every((work) => work <= 6),
        `${JSON.stringify(piece)}: ${perOctet}`,
      );
    }
  });
});

describe('keepalive', () => {
  test('RFC 5626 §4.4.1 CRLFCRLF is a ping, wherever it is cut', () => {
    const bytes = Buffer.concat([
      Buffer.from('\r\n\r\n'),
      message(['l: 0']),
      Buffer.from('\r\n\r\n\r\n\r\n'),
      message(['l: 1'], 'x'),
    ]);
    const expected = [
      'ping',
      message(['l: 0']).toString('latin1'),
      'ping',
      'ping',
      message(['l: 1'], 'x').toString('latin1'),
    ];
    for (let i = 0; i <= bytes.length; i++) assert.deepEqual(cut(bytes, [i]), expected);
  });

  test('RFC 5626 §4.4.1 CRLF is the pong to a ping of ours, told at once', () => {
    const framer = new StreamFramer();
    framer.expectPong();
    framer.push(Buffer.from('\r\n'));
    assert.deepEqual(told(drain(framer)), ['pong']);
    framer.expectPong();
    framer.push(Buffer.from('\r\n\r\n\r\n'));
    assert.deepEqual(told(drain(framer)), ['pong', 'ping']);
    framer.push(Buffer.from('\r\n'));
    assert.deepEqual(told(drain(framer)), []);
    assert.equal(framer.pending, 2);
  });
});

describe('corpora', () => {
  for (const folder of ['sip/rfc4475', 'sip/rfc5118', 'sip/rfc4475-variants', 'sip/unit-test-messages']) {
    test(`every split of every message of ${folder} gives the same events`, needsCorpus(folder), () => {
      let splits = 0;
      let files = 0;
      for (const file of readdirSync(corpusPath(folder))) {
        if (file.endsWith('.json')) continue;
        files++;
        const bytes = corpusFile(`${folder}/${file}`);
        const expected = whole(bytes);
        assert.deepEqual(
          cut(
            bytes,
            Array.from({ length: bytes.length }, (_, i) => i),
          ),
          expected,
          file,
        );
        for (let i = 1; i < bytes.length; i++) {
          assert.deepEqual(cut(bytes, [i]), expected, `${file} at ${i}`);
          splits++;
        }
      }
      const counted = {
        'sip/rfc4475': 49,
        'sip/rfc5118': 12,
        'sip/rfc4475-variants': 2,
        'sip/unit-test-messages': 39,
      }[folder];
      assert.equal(files, counted);
      assert.ok(splits > files * 100);
    });
  }

  test(
    'RFC 4475 §3.1.1.8 dblreq: on a stream the second request is a message of its own',
    needsCorpus('sip/rfc4475'),
    () => {
      const framer = new StreamFramer();
      framer.push(corpusFile('sip/rfc4475/dblreq.dat'));
      // Behind the body of the second stand octets that belong to no message.
      const methods = drain(framer)
        .slice(0, 2)
        .map((event) => {
          assert.equal(event.kind, 'message');
          const parsed = parseMessage((event as { bytes: Uint8Array }).bytes, undefined, { stream: true });
          return parsed.ok && parsed.value.kind === 'request' ? parsed.value.method : '';
        });
      assert.deepEqual(methods, ['REGISTER', 'INVITE']);
    },
  );
});

test('arbitrary octets in arbitrary cuts never throw, and end in the same events', () => {
  let ran = 0;
  const octet = fc.oneof(fc.constantFrom(13, 10, 58, 32, 108, 49), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(
      fc.array(octet, { maxLength: 300 }),
      fc.array(fc.nat(300), { maxLength: 8 }),
      (octets, cuts) => {
        ran++;
        const bytes = Uint8Array.from(octets);
        const ends = cuts.filter((at) => at <= bytes.length).sort((a, b) => a - b);
        assert.deepEqual(cut(bytes, ends), whole(bytes));
      },
    ),
    { numRuns: 3000 },
  );
  assert.equal(ran, 3000);
});
