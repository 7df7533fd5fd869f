import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { untilNext } from '@ringfence/bytes/moment.ts';
import type {
  EndpointConfig,
  EndpointOpened,
  EndpointSpec,
  EndpointStats,
  Relay,
  RelayEvent,
} from './contract.ts';
import type { RunningRelay } from './control.ts';
import type { IceCandidate } from './handshake.ts';

export interface ReserveOptions {
  /** Endpoints of one kind that are kept open beforehand, at most. Default 64. */
  readonly most?: number;
  /** How often the stock is looked at. Default 200. */
  readonly periodMs?: number;
  /** Endpoints of one kind asked for in one period from which on it is worth it. Default 4. */
  readonly least?: number;
}

/** Kinds beyond this are served without a reserve: a kind is an address, and there are few of those. */
const mostKinds = 32;
/** Endpoints in one request to the media process. */
const mostAtOnce = 64;
/** Periods without demand after which a stock is closed. */
const patience = 10;

interface Stock {
  readonly spec: EndpointSpec;
  readonly ready: EndpointOpened[];
  demand: number;
  idle: number;
  coming: number;
}

/**
 * A relay that opens endpoints before they are asked for, while calls come quickly.
 *
 * A call that finds what it needs in stock does not wait for the media process, and many calls' endpoints are opened
 * by one message: at a hundred calls a second this saves both processes a wake-up each for every call. An endpoint in
 * stock has keys of its own that nobody has seen, is linked to nothing and accepts nothing. Below `least` it does
 * nothing, and what nobody has asked for is closed after ten periods.
 */
export class Reserve implements RunningRelay {
  readonly #relay: RunningRelay;
  readonly #most: number;
  readonly #periodMs: number;
  readonly #least: number;
  readonly #stocks = new Map<string, Stock>();
  readonly #unsent = new Map<number, EndpointConfig>();
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(relay: RunningRelay, options: ReserveOptions = {}) {
    this.#relay = relay;
    this.#most = options.most ?? 64;
    this.#periodMs = options.periodMs ?? 200;
    this.#least = options.least ?? 4;
    if (this.#most < 1 || this.#periodMs < 1)
      throw new MisuseError('bad-reserve', 'a reserve has a size and a period');
    relay.onEvent((event) => {
      if (event.kind === 'down') this.#forget();
    });
  }

  get pid(): number {
    return this.#relay.pid;
  }

  get instance(): string {
    return this.#relay.instance;
  }

  get keepsFirst(): boolean {
    return this.#relay.keepsFirst === true;
  }

  get lasting(): boolean {
    return this.#relay.lasting;
  }

  endpoints(): Promise<readonly number[]> {
    return this.#relay.endpoints();
  }

  /** What is in stock is for the next edge to close. */
  release(): Promise<void> {
    this.#forget();
    return this.#relay.release();
  }

  /** Endpoints that wait to be asked for. */
  get ready(): number {
    let count = 0;
    for (const { ready } of this.#stocks.values()) count += ready.length;
    return count;
  }

  open(specs: readonly EndpointSpec[]): ReturnType<Relay['open']> {
    const stocks = specs.map((spec) => this.#stockOf(spec));
    for (const stock of stocks) if (stock !== undefined) stock.demand += 1;
    this.#timer ??= setTimeout(this.#look, untilNext(performance.now(), this.#periodMs));
    const value: EndpointOpened[] = [];
    for (const stock of stocks) {
      const endpoint = stock?.ready.pop();
      if (endpoint === undefined) break;
      value.push(endpoint);
    }
    if (value.length < specs.length) {
      for (const [i, endpoint] of value.entries()) stocks[i]?.ready.push(endpoint);
      return this.#openAnew(specs, stocks);
    }
    this.#putOff(specs, value);
    return Promise.resolve({ ok: true, value });
  }

  async #openAnew(
    specs: readonly EndpointSpec[],
    stocks: readonly (Stock | undefined)[],
  ): ReturnType<Relay['open']> {
    const plain = stocks.every((stock) => stock !== undefined);
    const opened = await this.#relay.open(plain ? stocks.map((stock) => (stock as Stock).spec) : specs);
    if (plain && opened.ok) this.#putOff(specs, opened.value);
    return opened;
  }

  /** What an endpoint was opened with matters from its link on: until then its first packets are kept for it. */
  #putOff(specs: readonly EndpointSpec[], opened: readonly EndpointOpened[]): void {
    for (const [i, { config }] of specs.entries())
      if (config !== undefined) this.#unsent.set((opened[i] as EndpointOpened).id, config);
  }

  configure(id: number, config: EndpointConfig): void {
    this.#settle(id);
    this.#relay.configure(id, config);
  }

  link(a: number, b: number): void {
    this.#settle(a);
    this.#settle(b);
    this.#relay.link(a, b);
  }

  unlink(a: number): void {
    this.#relay.unlink(a);
  }

  press(id: number, digit: string, durationMs: number): boolean {
    return this.#relay.press(id, digit, durationMs);
  }

  trickle(id: number, candidates: readonly IceCandidate[]): void {
    this.#relay.trickle?.(id, candidates);
  }

  keepClip(clip: number, frames: readonly Uint8Array[], clockTicks: number): void {
    this.#relay.keepClip?.(clip, frames, clockTicks);
  }

  play(id: number, clip: number, payloadType: number, loop: boolean): void {
    this.#settle(id);
    this.#relay.play?.(id, clip, payloadType, loop);
  }

  tap(from: number, to: number): void {
    this.#settle(from);
    this.#settle(to);
    this.#relay.tap?.(from, to);
  }

  untap(to: number): void {
    this.#relay.untap?.(to);
  }

  hush(id: number): void {
    this.#relay.hush?.(id);
  }

  retell(): void {
    this.#relay.retell?.();
  }

  confirmSas(id: number): void {
    this.#relay.confirmSas?.(id);
  }

  relaySas(to: number, from: number): void {
    this.#relay.relaySas?.(to, from);
  }

  flush(): Promise<void> {
    return this.#relay.flush();
  }

  close(ids: readonly number[]): Promise<readonly EndpointStats[]> {
    for (const id of ids) this.#unsent.delete(id);
    return this.#relay.close(ids);
  }

  stats(ids: readonly number[]): Promise<readonly EndpointStats[]> {
    return this.#relay.stats(ids);
  }

  onEvent(listener: (event: RelayEvent) => void): void {
    this.#relay.onEvent(listener);
  }

  stop(): Promise<void> {
    this.#forget();
    return this.#relay.stop();
  }

  /** What an endpoint was opened with matters from its link on, and travels with it. */
  #settle(id: number): void {
    const config = this.#unsent.get(id);
    if (config === undefined) return;
    this.#unsent.delete(id);
    this.#relay.configure(id, config);
  }

  /** What takes part in ICE, DTLS or ZRTP is made for its call alone. */
  #stockOf(spec: EndpointSpec): Stock | undefined {
    if (spec.ice !== undefined || spec.dtls || spec.zrtp) return undefined;
    const key = `${spec.local} ${spec.ports} ${spec.dscp} ${spec.suites.join()}`;
    const known = this.#stocks.get(key);
    if (known !== undefined || this.#stocks.size >= mostKinds) return known;
    const { config: _config, near: _near, ...bare } = spec;
    const stock: Stock = { spec: bare, ready: [], demand: 0, idle: 0, coming: 0 };
    this.#stocks.set(key, stock);
    return stock;
  }

  readonly #look = (): void => {
    this.#timer = undefined;
    for (const [key, stock] of this.#stocks) {
      const { demand } = stock;
      stock.demand = 0;
      stock.idle = demand === 0 ? stock.idle + 1 : 0;
      if (stock.idle >= patience) {
        if (stock.ready.length > 0) void this.#relay.close(stock.ready.map(({ id }) => id));
        this.#stocks.delete(key);
      } else if (demand >= this.#least) this.#fill(stock, Math.min(this.#most, demand * 2));
    }
    if (this.#stocks.size > 0 && !this.#over)
      this.#timer = setTimeout(this.#look, untilNext(performance.now(), this.#periodMs));
  };

  #fill(stock: Stock, wanted: number): void {
    const missing = Math.min(mostAtOnce, wanted - stock.ready.length - stock.coming);
    if (missing <= 0) return;
    stock.coming += missing;
    void this.#relay.open(Array.from({ length: missing }, () => stock.spec)).then((opened) => {
      stock.coming -= missing;
      if (!opened.ok) return;
      if (this.#over || !this.#has(stock)) void this.#relay.close(opened.value.map(({ id }) => id));
      else stock.ready.push(...opened.value);
    });
  }

  #has(stock: Stock): boolean {
    for (const other of this.#stocks.values()) if (other === stock) return true;
    return false;
  }

  #forget(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#stocks.clear();
    this.#unsent.clear();
  }
}
