/** Chromium without a screen: the phone page in a browser as people have it, its microphone a tone from a file. */
import { createHash, X509Certificate } from 'node:crypto';
import { type Browser, launch, type Page } from 'puppeteer-core';
import { PeerFailed, until } from '../harness/process.ts';
import { sineWav } from '../harness/tone.ts';
import { installedVersion } from '../harness/version.ts';
import type { Workspace } from '../harness/workspace.ts';

const PROGRAM = '/usr/bin/chromium';
const TONE_SECONDS = 60;

export const chromiumVersion = (): string | null =>
  installedVersion(PROGRAM, ['--version'], /Chromium ([\d.]+)/);

export type ChromiumOptions = {
  readonly workspace: Workspace;
  readonly name: string;
  /** PEM of the certificate that the edge shows: this one is taken, whoever has issued it, and no other. */
  readonly certificate: string;
  /** Hertz of the tone that its microphone hears. */
  readonly tone: number;
};

/** One browser with the phone page of an edge. */
export class Chromium {
  readonly page: Page;
  readonly tone: number;
  readonly name: string;
  /** What the browser has complained of; the page must be free of it. */
  readonly complaints: string[] = [];
  readonly #browser: Browser;

  private constructor(browser: Browser, page: Page, { name, tone }: ChromiumOptions) {
    this.#browser = browser;
    this.page = page;
    this.name = name;
    this.tone = tone;
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
    page.on('pageerror', (error) => this.complaints.push(String(error)));
  }

  static async start(options: ChromiumOptions): Promise<Chromium> {
    const { workspace, name, certificate, tone } = options;
    const key = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
    const file = workspace.write(`${name}-tone.wav`, sineWav(tone, TONE_SECONDS, 48_000));
    const browser = await launch({
      executablePath: PROGRAM,
      headless: true,
      userDataDir: workspace.path(`${name}-profile`),
      args: [
        `--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`,
        '--use-fake-device-for-media-stream',
        '--use-fake-ui-for-media-stream',
        `--use-file-for-audio-capture=${file}`,
        // The microphone's processing takes a lasting tone for noise.
        '--disable-features=WebRtcHideLocalIpsWithMdns',
        '--allow-loopback-in-peer-connection',
        '--autoplay-policy=no-user-gesture-required',
        '--mute-audio',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      ],
    });
    const page = (await browser.pages())[0] ?? (await browser.newPage());
    return new Chromium(browser, page, options);
  }

  /** Opens the phone page, as a phone would show it. */
  async open(address: string, port: number): Promise<void> {
    await this.page.setViewport({ width: 390, height: 780, deviceScaleFactor: 1 });
    const response = await this.page.goto(`https://${address}:${port}/phone`);
    if (response?.status() !== 200) throw new PeerFailed(`the page came with ${response?.status()}`);
  }

  async signIn(user: string, password: string): Promise<void> {
    await this.page.type('#user', user);
    await this.page.type('#password', password);
    await this.page.click('#sign-in button');
    await this.becomes('line', 'in');
  }

  /** Waits for a state that the page's body bears. */
  async becomes(what: 'line' | 'call', state: string, timeoutMs = 8_000): Promise<void> {
    await until(`${this.name}: ${what} ${state} (${await this.says()})`, timeoutMs, async () =>
      (await this.state(what)) === state ? true : null,
    ).catch(async (cause: unknown) => {
      throw new PeerFailed(
        `${cause instanceof Error ? cause.message : cause}; now: ${await this.says()}; ${this.complaints.join(' | ')}`,
      );
    });
  }

  state(what: 'line' | 'call'): Promise<string> {
    return this.page.$eval('body', (body, key) => body.getAttribute(`data-${key}`) ?? '', what);
  }

  /** Value of an expression in the page. */
  async value<T>(expression: string): Promise<T> {
    return (await this.page.evaluate(expression)) as T;
  }

  /** Waits until the page complains of something, or says nothing any more. */
  async complains(of: RegExp): Promise<void> {
    await until(`${this.name}: ${of}`, 8_000, async () =>
      of.test(await this.text('problem')) ? true : null,
    );
  }

  text(id: string): Promise<string> {
    return this.page.$eval(`#${id}`, (element) => element.textContent ?? '');
  }

  /** Presses a button; it must be there to be pressed. */
  async press(id: string): Promise<void> {
    await this.page.click(`#${id}`);
  }

  /** The line's state and what the page complains of, for failures. */
  async says(): Promise<string> {
    return `${await this.text('line')}; ${await this.text('progress')}; ${await this.text('problem')}`;
  }

  async stop(): Promise<void> {
    await this.#browser.close();
  }
}
