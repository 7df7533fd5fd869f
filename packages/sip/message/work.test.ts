import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseAuthParams } from './auth-params.ts';
import { HeaderList } from './header-list.ts';
import { parseMultipart } from './multipart.ts';
import { parseNameAddrList } from './name-addr.ts';
import { parseMessage } from './parse.ts';
import { screenRequest } from './screen.ts';
import { parseUri } from './uri.ts';
import { parseVia } from './via.ts';

/**
 * Runs `work` and counts what it does to strings: one step a character looked at, and for each search, slice or
 * conversion the characters that it may touch. Independent of the machine's speed and load.
 */
const countSteps = (work: () => void): number => {
  const prototype = String.prototype as unknown as Record<string, (...args: unknown[]) => unknown>;
  const saved = new Map<string, (...args: unknown[]) => unknown>();
  let steps = 0;
  const count = (
    name: string,
    cost: (text: string, args: readonly unknown[], result: unknown) => number,
  ): void => {
    const original = prototype[name]!;
    saved.set(name, original);
    prototype[name] = function (this: string, ...args: unknown[]): unknown {
      const result = original.apply(this, args);
      steps += cost(this, args, result);
      return result;
    };
  };
  count('charCodeAt', () => 1);
  count('startsWith', () => 1);
  for (const name of ['indexOf', 'includes']) {
    count(name, (text, [, from], result) => {
      const start = typeof from === 'number' ? from : 0;
      return 1 + (typeof result === 'number' && result >= 0 ? result : text.length) - start;
    });
  }
  for (const name of ['slice', 'toLowerCase', 'toUpperCase', 'trim', 'trimEnd', 'replace', 'split']) {
    count(name, (text, _, result) => 1 + (typeof result === 'string' ? result.length : text.length));
  }
  try {
    work();
  } finally {
    for (const [name, original] of saved) prototype[name] = original;
  }
  return steps;
};

const unbounded = {
  totalSize: 1e9,
  headerSize: 1e9,
  headerCount: 1e9,
  lineLength: 1e9,
  viaCount: 1e9,
  paramCount: 1e9,
};
const lines = (line: string): string =>
  `INVITE sip:a@b SIP/2.0\r\n${line}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n\r\n`;
const parse = (text: string): void => {
  parseMessage(Buffer.from(text), unbounded);
};

/** Pieces that, repeated, drive scanners back and forth where these are badly built. */
const pieces: readonly string[] = [
  'a',
  ' ',
  '\t',
  ',',
  ';',
  ';a',
  ':',
  '"',
  '\\',
  '\\"',
  '""',
  '<',
  '>',
  '<>',
  '<sip:a>',
  '<sip:a>,',
  '@',
  '%',
  '%41',
  '=',
  ';a=',
  '&',
  '?',
  '[',
  ']',
  '[:',
  '::',
  ':::',
  '.',
  '1',
  '/',
  'SIP/2.0/',
  'SIP/2.0/UDP a,',
  'sip:',
  '\r\n ',
  '\r\n\t\r\n ',
  '\r\nX: y',
  '\r\nVia: ',
  '\r\nFrom: ',
  '\r\nExpires: 1',
  '\r\nContent-Length: 1',
  'é',
  '"a" ',
  'a<',
];
const prefixes: readonly string[] = [
  '',
  'X: ',
  'X',
  'Via: ',
  'Via: SIP/2.0/UDP a',
  'Via: SIP/2.0/UDP [',
  'Via: SIP/2.0/UDP a;a="',
  'From: ',
  'From: "',
  'From: <',
  'From: <sip:',
  'From: <sip:a@',
  'From: <sip:a@b;',
  'From: <sip:a@b?',
  'From: <sip:a@[',
  'From: <sip:a@b>',
  'From: <sip:a@b>;',
  'From: <sip:a@b>;a="',
  'From: <tel:',
  'From: <x:',
  'Contact: ',
  'Contact: "',
  'Call-ID: ',
  'CSeq: ',
  'CSeq: 1 ',
  'Max-Forwards: ',
  'Content-Length: ',
  'Content-Type: ',
];

/** Most steps per character; the typical INVITE takes about 3. */
const stepsPerCharacter = 12;

describe('S17 work is linear in the input', () => {
  test('messages of repeated pieces behind every kind of beginning', () => {
    let ran = 0;
    for (const prefix of prefixes) {
      for (const piece of pieces) {
        for (const size of [1000, 8000]) {
          const text = lines(`${prefix}${piece.repeat(Math.ceil(size / piece.length))}`);
          const steps = countSteps(() => parse(text));
          assert.ok(
            steps <= stepsPerCharacter * text.length,
            `${JSON.stringify([prefix, piece, size])}: ${steps / text.length} a character`,
          );
          ran++;
        }
      }
    }
    assert.equal(ran, prefixes.length * pieces.length * 2);
  });

  test('start lines of repeated pieces', () => {
    for (const prefix of [
      '',
      'INVITE ',
      'INVITE sip:',
      'INVITE sip:a@',
      'INVITE sip:a@b;',
      'SIP/2.0 ',
      'SIP/2.0 200 ',
    ]) {
      for (const piece of pieces) {
        const text = `${prefix}${piece.repeat(8000 / piece.length)} SIP/2.0\r\n\r\n`;
        const steps = countSteps(() => parse(text));
        assert.ok(steps <= stepsPerCharacter * text.length, JSON.stringify([prefix, piece]));
      }
    }
  });

  test('single values of repeated pieces', () => {
    const readers: readonly (readonly [string, (text: string) => unknown])[] = [
      ['uri', (text) => parseUri(text, 1e9)],
      ['sip uri', (text) => parseUri(`sip:${text}`, 1e9)],
      ['name-addr', parseNameAddrList],
      ['via', parseVia],
      ['auth', parseAuthParams],
      ['digest', (text) => parseAuthParams(`Digest ${text}`)],
      ['list', (text) => new HeaderList([['X', text.replaceAll('\r\n', '')]]).values('X')],
      ['multipart', (text) => parseMultipart('multipart/mixed;boundary=a', Buffer.from(text))],
    ];
    for (const [name, read] of readers) {
      for (const piece of [...pieces, '--a', '--a\r\n', '\r\n--a\r\n', '\r\n--a \r\n\r\n']) {
        const text = piece.repeat(8000 / piece.length);
        const steps = countSteps(() => read(text));
        assert.ok(
          steps <= stepsPerCharacter * text.length,
          `${name} ${JSON.stringify(piece)}: ${steps / text.length}`,
        );
      }
    }
  });

  test('what the default limits let through stays within a fixed number of steps', () => {
    const worst = pieces.map((piece) => {
      const text = lines(`Contact: ${piece.repeat(8000 / piece.length)}`);
      return countSteps(() => {
        const parsed = parseMessage(Buffer.from(text));
        if (parsed.ok && parsed.value.kind === 'request') screenRequest(parsed.value);
      });
    });
    assert.ok(Math.max(...worst) <= stepsPerCharacter * 16_384);
  });

  test('the count counts', () => {
    assert.ok(countSteps(() => 'abc'.charCodeAt(1)) === 1);
    assert.ok(countSteps(() => 'aaaa'.indexOf('b')) >= 4);
  });
});
