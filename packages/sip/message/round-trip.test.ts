import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { Result } from '@ringfence/bytes/result.ts';
import { corpusFile, corpusPath, needsCorpus } from '@ringfence/testkit/corpus.ts';
import fc from 'fast-check';
import { StreamFramer } from '../framing/stream.ts';
import { parseAuthParams, serializeAuthParams } from './auth-params.ts';
import { makeResponse } from './build.ts';
import { HeaderList } from './header-list.ts';
import { parseMediaType } from './media-type.ts';
import { handlingOf, parseMultipart } from './multipart.ts';
import { parseNameAddr, parseNameAddrList, serializeNameAddr } from './name-addr.ts';
import { parseMessage } from './parse.ts';
import { screenRequest } from './screen.ts';
import { serializeMessage } from './serialize.ts';
import type { NameAddr, SipMessage, Uri, Via } from './types.ts';
import { parseUri, serializeUri } from './uri.ts';
import { parseVia, serializeVia } from './via.ts';

const tokenCharacters = [..."ABCXYZabcxyz0189-.!%*_+`'~"];
const token = fc.string({ unit: fc.constantFrom(...tokenCharacters), minLength: 1, maxLength: 12 });
const lowerToken = token.map((text) => text.toLowerCase());
/** Any text without CR and LF, control characters and quotes included. */
const phraseText = fc
  .string({ unit: 'binary', maxLength: 16 })
  .map((text) => text.toWellFormed().replace(/[\r\n]/g, ''));
const host = fc.oneof(
  fc.domain().map((name) => name.toLowerCase()),
  fc.ipV4(),
  fc.ipV6().map((address) => address.toLowerCase()),
);
const port = fc.integer({ min: 1, max: 65535 });
const anyText = fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }).map((text) => text.toWellFormed());
const params = (value: fc.Arbitrary<string>): fc.Arbitrary<Map<string, string | true>> =>
  fc
    .array(fc.tuple(lowerToken, fc.oneof(fc.constant(true as const), value)), { maxLength: 4 })
    .map((list) => new Map(list));
const headerParams = params(
  fc.oneof(
    token,
    phraseText.map((text) => JSON.stringify(text.replace(/[^ -~]|["\\]/g, ''))),
  ),
);
const uriParams = fc
  .array(
    fc.tuple(
      anyText.map((text) => text.toLowerCase()),
      fc.oneof(fc.constant(true as const), anyText),
    ),
    { maxLength: 3 },
  )
  .map((list) => new Map(list));
const uri: fc.Arbitrary<Uri> = fc.oneof(
  fc.record(
    {
      scheme: fc.constantFrom('sip' as const, 'sips' as const),
      user: anyText,
      host,
      port,
      params: uriParams,
      headers: fc.array(fc.tuple(lowerToken, phraseText), { maxLength: 3 }).map((list) => new Map(list)),
    },
    { requiredKeys: ['scheme', 'host', 'params', 'headers'] },
  ),
  fc.record({
    scheme: fc.constant('tel' as const),
    number: fc.stringMatching(/^\+?[0-9]{1,15}$/),
    params: uriParams,
  }),
  fc
    .stringMatching(/^x[a-z]{1,5}:[!-;=?-~]{1,10}$/)
    .filter((text) => !text.includes('"'))
    .map((text) => ({ scheme: 'other' as const, text })),
);
const nameAddr: fc.Arbitrary<NameAddr> = fc
  .record({ display: phraseText, uri, params: headerParams }, { requiredKeys: ['uri', 'params'] })
  .map((value) => {
    if (
      typeof value.params.get('tag') !== 'string' ||
      !/^[!-~]+$/.test(String(value.params.get('tag')).replace(/"/g, ' '))
    )
      value.params.delete('tag');
    return value;
  });
const via: fc.Arbitrary<Via> = fc
  .record(
    { transport: token, host, port, branch: token, params: headerParams },
    { requiredKeys: ['transport', 'host', 'params'] },
  )
  .map((value) => {
    value.params.delete('branch');
    return value;
  });
const headers = fc
  .array(
    fc.tuple(
      token.map((name) => `X-${name}`),
      phraseText.map((text) => text.replace(/\p{Cc}/gu, '').trim()),
    ),
    { maxLength: 6 },
  )
  .map((list) => new HeaderList(list));
const method = token.filter((text) => text.toUpperCase() !== 'SIP');
const common = {
  via: fc.array(via, { minLength: 1, maxLength: 4 }),
  from: nameAddr,
  to: nameAddr,
  callId: fc.stringMatching(/^[a-zA-Z0-9()<>:\\"/[\]?{}.!%*_+`'~-]{1,20}(@[a-z.]{1,10})?$/),
  headers,
  body: fc.uint8Array({ maxLength: 64 }),
};
const message: fc.Arbitrary<SipMessage> = fc.oneof(
  fc
    .record({
      ...common,
      method,
      uri,
      number: fc.nat(),
      maxForwards: fc.option(fc.nat(255), { nil: undefined }),
    })
    .map(({ number, ...fields }): SipMessage => {
      const target =
        fields.uri.scheme === 'sip' || fields.uri.scheme === 'sips'
          ? { ...fields.uri, headers: new Map<string, string>() }
          : fields.uri;
      return { kind: 'request', ...fields, uri: target, cseq: { number, method: fields.method } };
    }),
  fc
    .record({
      ...common,
      status: fc.integer({ min: 100, max: 699 }),
      reason: phraseText,
      number: fc.nat(),
      method: token,
    })
    .map(
      ({ number, method: asked, ...fields }): SipMessage => ({
        kind: 'response',
        ...fields,
        reason: fields.reason.replace(/\p{Cc}/gu, ''),
        cseq: { number, method: asked },
      }),
    ),
);

const plain = (value: SipMessage): object =>
  structuredClone({ ...value, headers: [...value.headers], body: [...value.body] });

test('RFC 3261 §7 what is written is read back the same', () => {
  let ran = 0;
  fc.assert(
    fc.property(message, (value) => {
      ran++;
      // A bare cookie is refused by design (RFC 4475 §3.2.1).
      fc.pre(value.via[0]?.branch?.toLowerCase() !== 'z9hg4bk');
      const bytes = serializeMessage(value);
      const parsed = parseMessage(bytes);
      assert.ok(
        parsed.ok,
        parsed.ok ? '' : `${parsed.error.code}: ${parsed.error.detail}\n${Buffer.from(bytes).toString()}`,
      );
      assert.deepEqual(plain(parsed.value), plain(value));
      const framer = new StreamFramer();
      framer.push(bytes);
      const event = framer.next();
      assert.ok(event?.kind === 'message' && event.bytes.length === bytes.length);
    }),
    { numRuns: 1500 },
  );
  assert.ok(ran >= 1500);
});

/** Everything that may be done with whatever came, none of which may throw. */
const exercise = (bytes: Uint8Array): 'accepted' | 'refused' | 'dropped' => {
  const parsed = parseMessage(bytes);
  if (parsed.ok) {
    const wire = serializeMessage(parsed.value);
    const again = parseMessage(wire);
    assert.ok(again.ok, `${again.ok ? '' : again.error.detail}\n${Buffer.from(wire).toString('latin1')}`);
    assert.deepEqual(Buffer.compare(wire, serializeMessage(again.value)), 0);
    if (parsed.value.kind === 'request') {
      screenRequest(parsed.value, { acceptableBodies: new Set(['application/sdp']) });
      serializeMessage(makeResponse(parsed.value, 200, undefined, { toTag: 'x' }));
    }
    return 'accepted';
  }
  const { respond } = parsed.error;
  if (respond === undefined) return 'dropped';
  const answer = serializeMessage(
    makeResponse(respond.request, respond.status, respond.reason, { toTag: 'x' }),
  );
  assert.ok(answer.length <= 3 * bytes.length + 200, 'no large answer');
  return 'refused';
};

const seeds = (): Uint8Array[] =>
  ['sip/rfc4475', 'sip/rfc5118'].flatMap((folder) =>
    readdirSync(corpusPath(folder))
      .filter((file) => !file.endsWith('.json'))
      .map((file) => corpusFile(`${folder}/${file}`)),
  );

describe('hostile octets', () => {
  test('arbitrary octets never throw', () => {
    let ran = 0;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        ran++;
        exercise(bytes);
      }),
      { numRuns: 2000 },
    );
    assert.equal(ran, 2000);
  });

  test(
    'S4 mutated torture messages never throw, and what is accepted can be sent',
    needsCorpus('sip/rfc4475'),
    () => {
      const corpus = seeds();
      const outcomes = { accepted: 0, refused: 0, dropped: 0 };
      const interesting = fc.constantFrom(
        ...[...'\0\x01\t\r\n "%,;:<>=?@[]\\/\x7f\xc3\xff019aZ'].map((c) => c.charCodeAt(0)),
      );
      const edit = fc.record({
        at: fc.double({ min: 0, max: 0.9999, noNaN: true }),
        kind: fc.constantFrom('set', 'insert', 'delete', 'repeat', 'cut', 'splice'),
        octet: interesting,
        count: fc.integer({ min: 1, max: 40 }),
      });
      fc.assert(
        fc.property(
          fc.nat(corpus.length - 1),
          fc.array(edit, { minLength: 1, maxLength: 5 }),
          fc.nat(corpus.length - 1),
          (seed, edits, other) => {
            let bytes = Buffer.from(corpus[seed]!);
            for (const { at, kind, octet, count } of edits) {
              const i = Math.floor(at * bytes.length);
              const before = bytes.subarray(0, i);
              if (kind === 'set' && bytes.length > 0) bytes[i] = octet;
              else if (kind === 'insert')
                bytes = Buffer.concat([before, Buffer.alloc(count, octet), bytes.subarray(i)]);
              else if (kind === 'delete') bytes = Buffer.concat([before, bytes.subarray(i + count)]);
              else if (kind === 'repeat')
                bytes = Buffer.concat([before, bytes.subarray(i, i + count), bytes.subarray(i)]);
              else if (kind === 'cut') bytes = Buffer.from(before);
              else
                bytes = Buffer.concat([
                  before,
                  corpus[other]!.subarray(Math.floor(at * corpus[other]!.length)),
                ]);
            }
            outcomes[exercise(bytes)]++;
          },
        ),
        { numRuns: 4000 },
      );
      assert.equal(outcomes.accepted + outcomes.refused + outcomes.dropped, 4000);
      // Each road must have been taken, else the run proves little.
      for (const count of Object.values(outcomes)) assert.ok(count > 100, JSON.stringify(outcomes));
    },
  );

  test('S4 single values of arbitrary pieces never throw, and what is accepted is written and read back the same', () => {
    let ran = 0;
    let accepted = 0;
    const piece = fc.oneof(
      fc.constantFrom(
        ...'sip: sips: tel: x: a b.c 1 @ : ; = ? & , < > " \\ % %41 %0d%0a [ ] ::1 [::1] + - . / * # SIP/2.0/UDP lr tag branch'.split(
          ' ',
        ),
      ),
      fc.constantFrom(
        ' ',
        '\t',
        '\r',
        '\n',
        '\0',
        '\x7f',
        'é',
        '\ud800',
        '"a b"',
        'sip:a@b',
        '<sip:a@b>',
        ';x=y',
        ';x="y"',
        'Digest ',
        'a=b',
      ),
    );
    const stable = <T>(
      text: string,
      read: (text: string) => Result<T, string>,
      write: (value: T) => string,
    ): void => {
      const first = read(text);
      if (!first.ok) return;
      accepted++;
      const again = read(write(first.value));
      assert.ok(again.ok, `${JSON.stringify(text)} ${write(first.value)}`);
      assert.deepEqual(again.value, first.value);
      assert.ok(!/[\r\n]/.test(write(first.value)));
    };
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
        ran++;
        const text = pieces.join('');
        for (const start of ['', 'sip:', 'sip:a@b', 'tel:+1']) stable(start + text, parseUri, serializeUri);
        for (const start of ['', '<sip:a@b>', '"']) {
          stable(start + text, parseNameAddr, serializeNameAddr);
          stable(start + text, parseNameAddrList, (list) => list.map(serializeNameAddr).join(', '));
        }
        for (const start of ['', 'SIP/2.0/TCP a'])
          stable(start + text, parseVia, (list) => list.map(serializeVia).join(', '));
        stable(`Digest ${text}`, parseAuthParams, ({ scheme, params }) => {
          const lineEnd = [...params.values()].some((value) => /[\r\n]/.test(value));
          assert.ok(!lineEnd);
          return serializeAuthParams(scheme, params);
        });
        parseMediaType(text);
        handlingOf(new HeaderList([['Content-Disposition', text.replace(/[\r\n\0]/g, '')]]));
        parseMultipart(
          'multipart/mixed;boundary=a',
          Buffer.from(text.replaceAll('sip:', '\r\n--a\r\n').replaceAll('tel:', '\r\n--a--')),
        );
      }),
      { numRuns: 3000 },
    );
    assert.equal(ran, 3000);
    assert.ok(accepted > 1000, `${accepted}`);
  });

  test('findings of earlier runs keep their outcome', () => {
    const folder = new URL('vectors/', import.meta.url);
    const expected = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8')) as Record<
      string,
      string
    >;
    const files = readdirSync(folder).filter((file) => file.endsWith('.sip'));
    assert.deepEqual(Object.keys(expected).sort(), files.sort());
    for (const file of files)
      assert.equal(exercise(readFileSync(new URL(file, folder))), expected[file], file);
  });
});
