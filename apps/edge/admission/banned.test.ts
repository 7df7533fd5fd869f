import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BanSettings } from '../config/bans.ts';
import { defaultsOf, Report } from '../config/validate.ts';
import { settings } from '../transport/test-bed.ts';
import { Admission } from './admission.ts';
import { Bans } from './bans/bans.ts';
import { Protection } from './bans/protection.ts';
import { overDatagrams, type Sender } from './sender.ts';

const make = () => {
  const protection = new Protection({ isTrunk: () => false, resolved: () => [] });
  const bans = new Bans({
    settings: defaultsOf(BanSettings, new Report('')) as BanSettings,
    protection,
    now: () => 1000,
    emit: () => undefined,
    isRegistered: (address) => admission.isTrusted(address, 1000),
  });
  const admission = new Admission({ settings: settings(), emit: () => undefined, seed: 1, bans });
  const says = (
    address: string,
    method = 'OPTIONS',
    uri = 'sip:x@y',
    sender: Sender = overDatagrams,
    port = 5060,
  ) =>
    admission.message('l', address, Buffer.from(`${method} ${uri} SIP/2.0\r\n\r\n`), 1000, port, sender)
      ?.rule ?? 'in';
  const ban = (source: string, spoofable = false) =>
    bans.propose({ source, cause: 'scan', rule: 'x', evidence: {}, spoofable, by: 'detection' });
  return { admission, bans, says, ban };
};
const registered: Sender = { reachable: false, isRegistered: (_, port) => port === 5060 };

describe('banned sources', () => {
  it('are dropped in the process, messages and connections, whatever they send', () => {
    const { says, ban, admission } = make();
    ban('192.0.2.1');
    for (const method of ['OPTIONS', 'REGISTER', 'INVITE', 'FOO'])
      assert.equal(says('192.0.2.1', method), 'admission.banned');
    assert.equal(says('192.0.2.2'), 'in');
    const opened = Array.from(
      { length: 50 },
      () => admission.connection('l', '192.0.2.1', 1000)?.rule ?? 'in',
    );
    assert.equal(opened.filter((rule) => rule === 'in').length, 1, 'one, which may bring an emergency call');
  });

  it('a socket ban leaves the other sockets of the address alone', () => {
    const { says, ban } = make();
    ban('192.0.2.1:5060', true);
    assert.equal(says('192.0.2.1'), 'admission.banned');
    assert.equal(says('192.0.2.1', 'OPTIONS', 'sip:x@y', overDatagrams, 5062), 'in');
  });

  it('phones that have registered from there go on over their flows, other flows do not', () => {
    const { says, ban, admission } = make();
    admission.trust('192.0.2.1', 'registered', 1e9, 1000);
    ban('192.0.2.1');
    assert.equal(says('192.0.2.1', 'OPTIONS', 'sip:x@y', registered), 'in');
    assert.equal(says('192.0.2.1', 'OPTIONS', 'sip:x@y', registered, 4444), 'admission.banned');
  });

  it('emergency first: an INVITE to an emergency number is heard, at a bounded rate; a known device lifts the rest', () => {
    const { says, ban, admission } = make();
    ban('192.0.2.1');
    assert.equal(says('192.0.2.1', 'INVITE', 'sip:911@y'), 'in');
    assert.equal(says('192.0.2.1', 'ACK', 'sip:911@y'), 'admission.banned');
    let heard = 0;
    for (let i = 0; i < 1000; i++) if (says('192.0.2.1', 'INVITE', 'sip:112@y') === 'in') heard++;
    assert.ok(heard <= 50, `${heard} of a flood of emergency calls`);
    admission.emergency('192.0.2.1', 1000);
    assert.equal(says('192.0.2.1', 'ACK', 'sip:911@y'), 'in');
  });
});
