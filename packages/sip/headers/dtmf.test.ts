import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDtmfInfo, serializeDtmfInfo } from './dtmf.ts';

const relay = (text: string): string => {
  const read = parseDtmfInfo('application/dtmf-relay', Buffer.from(text));
  return read.ok ? serializeDtmfInfo('application/dtmf-relay', read.value) : read.error;
};

test('application/dtmf-relay as phones send it, written anew', () => {
  assert.equal(relay('Signal=5\r\nDuration=160\r\n'), 'Signal=5\r\nDuration=160\r\n');
  assert.equal(relay('Signal= # \nDuration= 250\nX-Inside: 10.0.0.5'), 'Signal=#\r\nDuration=250\r\n');
  assert.equal(relay('signal=10'), 'Signal=*\r\nDuration=160\r\n');
  assert.equal(relay('Signal=d\r\nDuration=99999'), 'Signal=D\r\nDuration=10000\r\n');
  for (const text of ['', 'Duration=160', 'Signal=55', 'Signal=', 'Signal=x', `Signal=5${' '.repeat(200)}`])
    assert.match(relay(text), /^no |^too /, text);
});

test('application/dtmf is the key alone', () => {
  const read = parseDtmfInfo('application/dtmf', Buffer.from(' 11 \r\n'));
  assert.ok(read.ok);
  assert.equal(serializeDtmfInfo('application/dtmf', read.value), '#');
  assert.equal(parseDtmfInfo('application/dtmf', Buffer.from('5\r\n6')).ok, false);
});
