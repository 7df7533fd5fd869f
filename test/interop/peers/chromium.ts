/** Chromium without a screen: the phone page in a browser as people have it, its microphone a tone from a file. */
import { createHash, X509Certificate } from 'node:crypto';
import { type Browser, launch, type Page } from 'puppeteer-core';
import type { Phone } from '../harness/phone-call.ts';
import { PeerFailed, until } from '../harness/process.ts';
import { type Recording, secondsOfTone, sineWav } from '../harness/tone.ts';
import { installedVersion } from '../harness/version.ts';
import type { Workspace } from '../harness/workspace.ts';

const DOMAIN = 'example.test';
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

/** Hertz and samples of a tenth of a second: what is looked at of the sound that came. */
const RATE = 16_000;
const BLOCK = RATE / 10;

/**
 * Runs in the page before anything of it. The microphone is left as it is, since a lasting tone is what the browser's
 * own processing takes away first; and every tenth of a second of what the last connection brings is kept.
 */
const INSTRUMENT = `(() => {
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = () =>
    ask({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
  window.heardBlocks = [];
  const Connection = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Connection {
    constructor(...options) {
      super(...options);
      window.connection = this;
      this.addEventListener('track', ({ track }) => {
        const context = new AudioContext({ sampleRate: ${RATE} });
        const analyser = context.createAnalyser();
        analyser.fftSize = 2048;
        context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
        const samples = new Float32Array(analyser.fftSize);
        const timer = setInterval(() => {
          if (this.connectionState === 'closed') return clearInterval(timer), context.close();
          analyser.getFloatTimeDomainData(samples);
          window.heardBlocks.push(Array.from(samples.subarray(0, ${BLOCK}), (x) => Math.round(x * 32768)));
        }, 100);
      });
    }
  };
})()`;

/** One browser with the phone page of an edge. */
export class Chromium implements Phone {
  readonly uri: string;
  #heard: Recording = { rate: RATE, samples: new Float64Array(0) };
  readonly page: Page;
  readonly tone: number;
  readonly name: string;
  /** What the browser has complained of; the page must be free of it. */
  readonly complaints: string[] = [];
  readonly #browser: Browser;

  private constructor(browser: Browser, page: Page, { name, tone }: ChromiumOptions) {
    this.#browser = browser;
    this.page = page;
    this.uri = `sip:${name}@${DOMAIN}`;
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
        `--use-file-for-fake-audio-capture=${file}`,
        // All is on this machine: addresses as they are, loopback too.
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
    await page.evaluateOnNewDocument(INSTRUMENT);
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

  /** What a phone's screen shows, as PNG. */
  async picture(path: string): Promise<void> {
    const height = await this.value<number>(
      'document.querySelector("footer").getBoundingClientRect().bottom',
    );
    await this.page.screenshot({
      path: path as `${string}.png`,
      clip: { x: 0, y: 0, width: 390, height: Math.ceil(height) + 16 },
    });
  }

  /** The line's state and what the page complains of, for failures. */
  async says(): Promise<string> {
    return `${await this.text('line')}; ${await this.text('progress')}; ${await this.text('problem')}`;
  }

  dial(uri: string): void {
    void this.call(uri);
  }

  async call(target: string): Promise<void> {
    await this.page.type('#number', target);
    await this.page.keyboard.press('Enter');
  }

  /** Waits until it speaks; it answers where it rings. */
  async established(): Promise<void> {
    let answered = false;
    await until(`${this.name} speaks`, 15_000, async () => {
      const state = await this.state('call');
      if (state === 'ringing' && !answered) {
        answered = true;
        await this.press('answer');
      }
      return state === 'up' ? true : null;
    }).catch(async (cause: unknown) => {
      throw new PeerFailed(`${cause}; ${await this.says()}; ${this.complaints.join(' | ')}`);
    });
  }

  hangUp(): void {
    void this.press('hang-up');
  }

  async ended(): Promise<void> {
    await this.becomes('call', 'none');
    await this.listen();
  }

  /** Reads what it has heard so far, which `heard` then gives; seconds of it that are a tone. */
  async listen(frequency = 0): Promise<number> {
    const blocks = await this.value<number[][]>('window.heardBlocks');
    this.#heard = { rate: RATE, samples: Float64Array.from(blocks.flat(), (sample) => sample / 32_768) };
    return frequency === 0 ? 0 : secondsOfTone(this.#heard, frequency);
  }

  heard(): Recording {
    return this.#heard;
  }

  /** Keys of a browser come by DTLS: none is ever in signalling. */
  keys(): string[] {
    return [];
  }

  async stop(): Promise<void> {
    await this.#browser.close();
  }
}
