/** The account page in Chromium with an authenticator of its own: a passkey confirms a phone in quarantine. */
import { readFileSync } from 'node:fs';
import { ringfenceDoes } from '../system/harness/command.ts';
import { account } from './baresip.ts';
import { type Case, type CaseContext, expect } from './harness/case.ts';
import { certificatesIn, makeCertificates } from './harness/certificates.ts';
import { until } from './harness/process.ts';
import { runCases } from './harness/run-cases.ts';
import { Baresip, baresipVersion } from './peers/baresip.ts';
import { Chromium, chromiumVersion } from './peers/chromium.ts';

const PASSWORD = 'blue-harbour-42';

async function passkey({ workspace, closes, edge: start }: CaseContext): Promise<string> {
  makeCertificates(workspace);
  const certificates = certificatesIn(workspace);
  const edge = await start({
    certificates,
    listeners: [
      // Passkeys belong to names, not to addresses.
      {
        name: 'browsers',
        transport: 'wss',
        encryption: 'required',
        accountPage: true,
        publicAddress: 'localhost',
      },
      { name: 'phones', transport: 'tls', encryption: 'required' },
    ],
    objects: {
      users: [
        {
          name: 'alice',
          devices: [{ name: 'alice', password: PASSWORD, encryption: 'required', allowMd5: true }],
        },
      ],
      // What is inside needs no confirmation: here nothing is.
      domains: [{ name: 'example.test', accounts: { remote: 'quarantine', inside: [] } }],
    },
  });
  closes(await Baresip.start({ workspace, certificates, ...account(edge, 'alice', 'srtp'), tone: 440 }));
  await until('the phone is put into quarantine', 10_000, () =>
    edge.log().includes('"event":"account.quarantined"') ? true : null,
  );
  const invited = await ringfenceDoes(workspace.path('edge'), [
    'user',
    'factor',
    'invite',
    'alice',
    '--json',
  ]);
  const { code } = JSON.parse(invited) as { readonly code: string };

  const certificate = readFileSync(certificates.certificate, 'utf8');
  const browser = closes(await Chromium.start({ workspace, name: 'alice', certificate, tone: 440 }));
  const { page } = browser;
  const devtools = await page.createCDPSession();
  await devtools.send('WebAuthn.enable');
  const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  const url = `https://localhost:${edge.port('browsers')}/account`;
  const becomes = async (session: string): Promise<void> => {
    await until(`session ${session}`, 10_000, async () =>
      (await page.$eval('body', (body) => body.getAttribute('data-session'))) === session ? true : null,
    ).catch(async (cause: unknown) => {
      const problem = await browser.text('problem');
      throw new Error(`${cause}; ${problem}; ${browser.complaints.join(' | ')}`);
    });
  };
  const signIn = async (): Promise<void> => {
    await becomes('out');
    await page.type('#name', 'alice');
    await page.type('#password', PASSWORD);
    await page.keyboard.press('Enter');
    await becomes('in');
  };
  await page.goto(url);
  await signIn();
  expect(
    !(await page.$eval('#leave', (one) => one.hasAttribute('hidden'))),
    'the password alone sets something up at a place that nobody knows',
  );
  await page.type('#invite', code);
  await page.keyboard.press('Enter');
  await page.waitForSelector('#passkey-begin', { visible: true, timeout: 10_000 });
  await browser.press('passkey-begin');
  await becomes('proven');
  await browser.press('sign-out');
  await signIn();
  await browser.press('passkey-use');
  await becomes('proven');
  await page.click('.confirm');
  await until('the phone is confirmed', 5_000, () =>
    /"event":"account.confirmed"[^\n]*"by":"passkey"/.test(edge.log()) ? true : null,
  );
  await until('the page says that it waits no more', 5_000, async () =>
    (await page.$$eval('li[data-state="pending"]', (rows) => rows.length)) === 0 ? true : null,
  );

  // A copy of the key that has been used less often is refused: its counter does not go on.
  const { credentials } = await devtools.send('WebAuthn.getCredentials', { authenticatorId });
  const [kept] = credentials;
  expect(kept !== undefined && kept.signCount > 0, 'the authenticator does not count');
  await devtools.send('WebAuthn.clearCredentials', { authenticatorId });
  await devtools.send('WebAuthn.addCredential', { authenticatorId, credential: { ...kept!, signCount: 0 } });
  await browser.press('sign-out');
  await signIn();
  await browser.press('passkey-use');
  await until('the copy is refused', 10_000, async () =>
    (await browser.text('problem')).includes('not accepted') ? true : null,
  );
  // The browser tells of every answer that is no 2xx; of its policy, or of scripts, it must have nothing to say.
  const bad = browser.complaints.filter((one) => !one.startsWith('Failed to load resource'));
  expect(bad.length === 0, `the browser complains: ${bad.join(' | ')}`);
  return 'set up by an invitation, signed in again, confirmed by it; a copy of it is refused; no complaint of the browser';
}

export const cases: readonly Case[] = [
  {
    name: 'chromium-passkey',
    peer: 'Chromium, baresip',
    version: () => (baresipVersion() === null ? null : chromiumVersion()),
    what: 'account page: a passkey (WebAuthn) confirms a phone in quarantine',
    run: passkey,
  },
];

if (import.meta.main) await runCases(cases);
