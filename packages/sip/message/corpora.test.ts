import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { corpusFile, corpusPath, needsCorpus } from '@ringfence/testkit/corpus.ts';
import { parseMessage } from './parse.ts';
import { serializeMessage } from './serialize.ts';
import { parseUri } from './uri.ts';

/** Some corpora keep messages with bare LF, or without the empty line; here the text counts, not the file. */
const asWire = (bytes: Uint8Array): Uint8Array => {
  const text = Buffer.from(bytes).toString('latin1').replace(/\r?\n/g, '\r\n').trimStart();
  return Buffer.from(text.includes('\r\n\r\n') ? text : `${text.trimEnd()}\r\n\r\n`, 'latin1');
};

/** Code of the error by file name for all that are refused; every other file must be accepted and survive a round trip. */
type Refused = Readonly<Record<string, string>>;

const judge = (folder: string, files: readonly string[], refused: Refused): void => {
  const found: Record<string, string> = {};
  for (const file of files) {
    const parsed = parseMessage(asWire(corpusFile(`${folder}/${file}`)));
    if (!parsed.ok) {
      found[file] = parsed.error.code;
      continue;
    }
    const again = parseMessage(serializeMessage(parsed.value));
    assert.ok(again.ok, file);
    assert.deepEqual(
      { ...again.value, headers: [...again.value.headers] },
      { ...parsed.value, headers: [...parsed.value.headers] },
    );
  }
  assert.deepEqual(found, refused);
};

const filesOf = (folder: string, ending: RegExp): readonly string[] =>
  readdirSync(corpusPath(folder))
    .filter((file) => ending.test(file))
    .sort();

const sofia = (line: number): string => `sofia-sip-torture_sip_c-L${line}.sip`;
const resip = (line: number): string => `resiprocate-testSipMessage_cxx-L${line}.sip`;

describe('messages of other stacks', () => {
  test('unit tests of sofia-sip and resiprocate', needsCorpus('sip/unit-test-messages'), () => {
    const files = filesOf('sip/unit-test-messages', /\.sip$/);
    judge('sip/unit-test-messages', files, {
      [resip(1058)]: 'bad-branch', // the magic cookie alone
      [resip(1654)]: 'bad-start-line', // no space behind the status code
      [resip(325)]: 'bad-via', // sent-by in the place of the transport
      [resip(373)]: 'cseq-method-mismatch',
      [resip(926)]: 'bad-cseq', // empty
      [sofia(1861)]: 'bad-via', // empty list member
      [sofia(2097)]: 'bad-via',
      [sofia(3347)]: 'bad-name-addr', // lone semicolon at the end
    });
    assert.equal(files.length, 39);
  });

  test('kamailio test/misc', needsCorpus('sip/kamailio-misc'), () => {
    const files = filesOf('sip/kamailio-misc', /\.sip$/);
    judge('sip/kamailio-misc', files, {
      'bad_uri.sip': 'missing-header',
      'bad_via2.sip': 'bad-start-line',
      'inv_srv.sip': 'missing-header',
      'invite3-callid.sip': 'bad-name-addr', // two headers run together
      'invite5-callid.sip': 'bad-header', // likewise
      'message02.sip': 'bad-header', // header line without colon
      'pingtel.sip': 'bad-name-addr', // ^ in a tag
      'register04.sip': 'bad-name-addr', // URI without scheme
      'req-test1.sip': 'bad-start-line', // two spaces
      'req1.sip': 'bad-start-line', // headers in the Request-URI
      'sg.sip': 'bad-line-end',
      'short_reply.sip': 'missing-header',
    });
    assert.equal(files.length, 23);
  });

  test('pkts and reSIProcate responses', needsCorpus('sip/pkts-messages'), () => {
    judge('sip/pkts-messages', filesOf('sip/pkts-messages', /./), {
      'issue-106_009.txt': 'bad-name-addr', // spaces in the URI
      'issue-106_011.txt': 'bad-tag', // tag without value
    });
    judge('sip/resip-rsp', filesOf('sip/resip-rsp', /./), {
      'rsp-2-data1.msg': 'bad-start-line', // no scheme
      'rsp-2-data2.msg': 'missing-header',
      'rsp-3-data1.msg': 'bad-start-line', // no start line
      'rsp-3-data3.msg': 'bad-start-line',
    });
  });

  test('NIST torture messages: legal ones are accepted', needsCorpus('sip/nist-torture'), () => {
    const manifest = JSON.parse(
      Buffer.from(corpusFile('sip/nist-torture/manifest.json')).toString(),
    ) as readonly {
      readonly file: string;
      readonly kind: string;
      readonly jain_expects_exception: boolean;
    }[];
    const messages = manifest.filter((entry) => entry.kind === 'message');
    judge(
      'sip/nist-torture',
      messages.map((entry) => entry.file),
      {
        'n001.sip': 'bad-start-line',
        'n003.sip': 'bad-start-line',
        'n017.sip': 'duplicate-header',
        'n025.sip': 'missing-header', // JAIN takes it without From and To
        'n061.sip': 'unsupported-version',
        'n353.sip': 'bad-start-line', // RFC 4475 §3.1.1.2 mangled by its XML file
        'n359.sip': 'bad-header', // RFC 4475 §3.1.1.8 without the empty line
        'n365.sip': 'bad-via',
        'n367.sip': 'bad-content-length',
        'n369.sip': 'bad-cseq',
        'n371.sip': 'bad-start-line',
        'n373.sip': 'bad-start-line',
        'n375.sip': 'bad-start-line',
        'n379.sip': 'bad-name-addr',
        'n381.sip': 'cseq-method-mismatch',
        'n383.sip': 'bad-start-line',
        'n385.sip': 'missing-header',
        'n393.sip': 'duplicate-header',
      },
    );
    const uris = manifest.filter((entry) => entry.kind === 'url');
    for (const { file, jain_expects_exception: bad } of uris) {
      const text = Buffer.from(corpusFile(`sip/nist-torture/${file}`))
        .toString()
        .trim();
      assert.equal(parseUri(text).ok, !bad, `${file} ${text}`);
    }
    assert.ok(messages.length > 150 && uris.length >= 5, `${messages.length} ${uris.length}`);
  });
});
