/** The phone page in a browser, as far as no voice is needed. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import { Workspace } from '../interop/harness/workspace.ts';
import { Chromium, chromiumVersion } from '../interop/peers/chromium.ts';
import { Bed, password } from './harness/bed.ts';

const skip = chromiumVersion() === null ? 'chromium is not installed' : false;

let bed: Bed;
let workspace: Workspace;
let phone: Chromium;
before(async () => {
  if (skip !== false) return;
  bed = await Bed.open(
    { users: [{ name: 'alice', encryption: 'required' }, { name: 'bob' }] },
    {
      listeners: [
        { name: 'udp', transport: 'udp', encryption: 'preferred' },
        { name: 'wss', transport: 'wss', phonePage: true },
      ],
    },
  );
  workspace = new Workspace('phone-page');
  phone = await Chromium.start({
    workspace,
    name: 'alice',
    certificate: await certificateOf(bed.edge.at('wss').port),
    tone: 440,
  });
});
after(async () => {
  await phone?.stop();
  await bed?.close();
  workspace?.remove();
});

test('phone page: a browser loads it, nothing of it breaks its policy, and each control has a name', {
  skip,
}, async () => {
  await phone.open('127.0.0.1', bed.edge.at('wss').port);
  assert.equal(await phone.text('line'), 'Not signed in');
  assert.equal(await phone.state('line'), 'out');
  const unnamed = await phone.value<string[]>(
    `[...document.querySelectorAll('input, button, output')].filter((one) => !one.labels?.length && !one.ariaLabel
      && !one.textContent.trim() && !one.getAttribute('aria-labelledby')).map(({ id }) => id)`,
  );
  assert.deepEqual(unnamed, []);
  // Wider than the screen: it would scroll sideways on a phone.
  assert.ok(await phone.value('document.documentElement.scrollWidth <= window.innerWidth'));
  assert.deepEqual(phone.complaints, []);
});

test('RFC 7118, RFC 8760: a wrong password is told as such and not repeated, the right one registers by SHA-256', {
  skip,
}, async () => {
  await phone.page.type('#user', 'alice');
  await phone.page.type('#password', 'not-the-password');
  await phone.page.keyboard.press('Enter');
  await phone.complains(/password is wrong/);
  await phone.becomes('line', 'out');
  assert.equal(bed.edge.ofType('registration.added').length, 0);

  await phone.value('document.getElementById("password").value = ""');
  await phone.page.type('#password', password);
  await phone.page.keyboard.press('Enter');
  await phone.becomes('line', 'in');
  assert.equal(await phone.text('line'), 'Ready');
  assert.equal(await phone.text('problem'), '');
  // The password is nowhere to be read any more.
  assert.ok(!(await phone.page.content()).includes(password));
  assert.equal(await phone.value('document.getElementById("password").value'), '');
  assert.equal(await phone.value('localStorage.length + sessionStorage.length + document.cookie.length'), 0);
});

test('phone page: a number that leads nowhere is told, and the next call can be made', { skip }, async () => {
  await phone.page.type('#number', 'nobody');
  await phone.page.keyboard.press('Enter');
  await phone.complains(/no way to that name/);
  await phone.becomes('call', 'none');
  assert.equal(await phone.value('document.activeElement.id'), 'number');
});

test('phone page: signing out takes the registration away, and a page that is closed too', {
  skip,
}, async () => {
  await phone.press('sign-out');
  await phone.becomes('line', 'out');
  await bed.edge.event('registration.removed');
  await phone.page.type('#password', password);
  await phone.page.keyboard.press('Enter');
  await phone.becomes('line', 'in');
  const from = bed.edge.events.length;
  await phone.page.goto('about:blank');
  await bed.edge.event('flow.closed', () => true, from);
});

/** PEM of what a listener shows. */
const certificateOf = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    // Read, not trusted: the browser will be told to take this one alone.
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      const certificate = socket.getPeerX509Certificate();
      socket.destroy();
      resolve(certificate?.toString() ?? '');
    });
    socket.once('error', reject);
  });
