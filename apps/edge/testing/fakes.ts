import type {
  EndpointConfig,
  EndpointOpened,
  EndpointSpec,
  EndpointStats,
  Relay,
  RelayErrorCode,
  RelayEvent,
} from '@ringfence/relay/contract.ts';
import type { IceCandidate } from '@ringfence/relay/handshake.ts';
import { suiteParameters } from '@ringfence/srtp/suite.ts';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import type { VirtualTime } from '@ringfence/testkit/virtual-time.ts';
import type { Ban } from '../admission/bans/types.ts';
import type { Incident } from '../incidents/types.ts';
import type { Objects } from '../objects/types.ts';
import type { KnownPeer } from '../policy/known-peers.ts';
import { type AccountRow, accountKey } from '../store/account-rows.ts';
import type { BanWrite } from '../store/ban-rows.ts';
import type { Binding, CallRecord, OpenCall, Store } from '../store/contract.ts';
import type { FactorName, FactorRow } from '../store/factor-rows.ts';
import type { SpendRow } from '../store/spend-rows.ts';
import type { ZrtpPeer } from '../store/zrtp-rows.ts';

/** An endpoint as the fake media process knows it. */
export interface FakeEndpoint {
  readonly opened: EndpointOpened;
  readonly spec: EndpointSpec;
  config: EndpointConfig | undefined;
  linked: number | undefined;
  /** Whose packets it sends copies of. */
  tapped: number | undefined;
  /** What `close` and `stats` tell. */
  packets: number;
  idleMs: number;
}

/** Each process has a certificate of its own. */
let processes = 0;

/** Records what the edge asks of the media process, and answers after a while in virtual time. */
export class FakeRelay implements Relay {
  instance = 'fake';
  readonly endpoints = new Map<number, FakeEndpoint>();
  /** Every endpoint that ever was, closed ones too. */
  readonly all: FakeEndpoint[] = [];
  refusal: RelayErrorCode | undefined = undefined;
  isDown = false;
  /** Milliseconds until an answer. */
  latency = 1;
  /** SHA-256 of the certificate that it shows. */
  readonly certificate: Uint8Array;
  /** Candidates that came after the description. */
  readonly trickled: { readonly id: number; readonly candidates: readonly IceCandidate[] }[] = [];
  readonly #time: VirtualTime;
  readonly #random: SeededRandom;
  #ids = 0;
  #port = 20_000;

  constructor(time: VirtualTime, random: SeededRandom) {
    this.#time = time;
    this.#random = random;
    processes += 1;
    this.certificate = new SeededRandom(processes).bytes(32);
  }

  trickle(id: number, candidates: readonly IceCandidate[]): void {
    this.trickled.push({ id, candidates });
  }

  open(specs: readonly EndpointSpec[]): ReturnType<Relay['open']> {
    const error = this.isDown ? 'relay-down' : this.refusal;
    if (error !== undefined) return this.#later(() => ({ ok: false as const, error }));
    return this.#later(() => ({ ok: true as const, value: specs.map((spec) => this.#open(spec)) }));
  }

  configure(id: number, config: EndpointConfig): void {
    const endpoint = this.endpoints.get(id);
    if (endpoint !== undefined) endpoint.config = structuredClone(config);
  }

  link(a: number, b: number): void {
    const left = this.endpoints.get(a);
    const right = this.endpoints.get(b);
    if (left === undefined || right === undefined) return;
    if (left.linked === b) return;
    this.unlink(a);
    this.unlink(b);
    this.playing.delete(a);
    this.playing.delete(b);
    left.linked = b;
    right.linked = a;
  }

  tap(from: number, to: number): void {
    const copy = this.endpoints.get(to);
    if (copy !== undefined && this.endpoints.has(from)) copy.tapped = from;
  }

  untap(to: number): void {
    const copy = this.endpoints.get(to);
    if (copy !== undefined) copy.tapped = undefined;
  }

  unlink(a: number): void {
    const left = this.endpoints.get(a);
    const right = left?.linked === undefined ? undefined : this.endpoints.get(left.linked);
    if (left !== undefined) left.linked = undefined;
    if (right !== undefined) right.linked = undefined;
  }

  /** Digits that were to be sent. */
  readonly pressed: { readonly id: number; readonly digit: string; readonly durationMs: number }[] = [];

  /** Endpoints whose short authentication string somebody has compared. */
  readonly confirmed: number[] = [];

  confirmSas(id: number): void {
    this.confirmed.push(id);
  }

  /** Who was relayed whose short authentication string. */
  readonly relayedSas: (readonly [to: number, from: number])[] = [];

  relaySas(to: number, from: number): void {
    this.relayedSas.push([to, from]);
  }

  press(id: number, digit: string, durationMs: number): boolean {
    this.pressed.push({ id, digit, durationMs });
    return true;
  }

  /** Clips by number, and what is played to whom. */
  readonly clips = new Map<number, readonly Uint8Array[]>();
  readonly playing = new Map<
    number,
    { readonly clip: number; readonly payloadType: number; readonly loop: boolean }
  >();

  keepClip(clip: number, frames: readonly Uint8Array[]): void {
    this.clips.set(clip, frames);
  }

  play(id: number, clip: number, payloadType: number, loop: boolean): void {
    if (this.endpoints.has(id)) this.playing.set(id, { clip, payloadType, loop });
  }

  hush(id: number): void {
    this.playing.delete(id);
  }

  flush(): Promise<void> {
    return this.#later(() => undefined);
  }

  close(ids: readonly number[]): Promise<readonly EndpointStats[]> {
    const found = ids.flatMap((id) => this.endpoints.get(id) ?? []);
    for (const id of ids) this.endpoints.delete(id);
    return this.#later(() => (this.isDown ? [] : found.map(statsOf)));
  }

  stats(ids: readonly number[]): Promise<readonly EndpointStats[]> {
    return this.#later(() => ids.flatMap((id) => this.endpoints.get(id) ?? []).map(statsOf));
  }

  #listener: (event: RelayEvent) => void = () => {};

  onEvent(listener: (event: RelayEvent) => void): void {
    this.#listener = listener;
  }

  /** Tells the edge what the media process would tell of itself. */
  tell(event: RelayEvent): void {
    this.#listener(event);
  }

  #open(spec: EndpointSpec): EndpointOpened {
    this.#ids += 1;
    this.#port += 2;
    const opened: EndpointOpened = {
      id: this.#ids,
      address: spec.local,
      rtpPort: this.#port,
      rtcpPort: spec.ports === 'mux' ? this.#port : spec.ports === 'pair' ? this.#port + 1 : 0,
      keys: spec.suites.map((suite) => {
        const { masterKeyLength, masterSaltLength } = suiteParameters[suite];
        return { suite, material: this.#random.bytes(masterKeyLength + masterSaltLength) };
      }),
      ...(spec.ice === undefined
        ? {}
        : { ice: { ufrag: `ours${this.#ids}`, password: this.#random.token(24) } }),
      // One certificate of the whole process.
      ...(spec.dtls === true ? { dtls: { hash: 'sha-256', value: this.certificate } } : {}),
      ...(spec.zrtp === true ? { zrtp: { version: '1.10', helloHash: this.#random.bytes(32) } } : {}),
    };
    const endpoint: FakeEndpoint = {
      opened: structuredClone(opened),
      spec,
      config: structuredClone(spec.config),
      linked: undefined,
      tapped: undefined,
      packets: 100,
      idleMs: 20,
    };
    this.endpoints.set(opened.id, endpoint);
    this.all.push(endpoint);
    return opened;
  }

  #later<T>(make: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.#time.after(this.latency, () => resolve(make()));
    });
  }
}

const statsOf = ({ opened, packets, idleMs }: FakeEndpoint): EndpointStats => ({
  id: opened.id,
  received: {
    packets,
    octets: packets * 172,
    rtcpPackets: 0,
    lost: 0,
    reordered: 0,
    duplicates: 0,
    jitterMs: 1,
    idleMs,
  },
  sent: { packets, octets: packets * 172 },
  dropped: { source: 0, authentication: 0, replay: 0, malformed: 0, unlinked: 0 },
});

/** A store in memory whose disk takes a while. */
export class FakeStore implements Store {
  readonly records: CallRecord[] = [];
  readonly table = new Map<string, Binding>();
  /** What calls in progress have left for another process. */
  readonly journal = new Map<string, OpenCall>();
  fails = false;
  /** Milliseconds until a write is on disk. */
  latency = 5;
  readonly #time: VirtualTime;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  objects(): Promise<Objects> {
    return Promise.resolve({ users: [], trunks: [], routes: [] });
  }

  onObjectsChanged(): void {}

  onFailure(): void {}

  onTrouble(): void {}

  bindings(): Promise<readonly Binding[]> {
    return Promise.resolve([...this.table.values()]);
  }

  readonly zrtp = new Map<string, ZrtpPeer>();

  zrtpPeers(): Promise<readonly ZrtpPeer[]> {
    return Promise.resolve([...this.zrtp.values()]);
  }

  readonly known = new Map<string, KnownPeer>();

  knownPeers(): Promise<readonly KnownPeer[]> {
    return Promise.resolve([...this.known.values()]);
  }

  putKnownPeer(peer: KnownPeer, forget: readonly string[]): Promise<void> {
    return this.#write(() => {
      for (const party of forget) this.known.delete(party);
      this.known.set(peer.party, peer);
    });
  }

  readonly banned: Ban[] = [];

  bans(): Promise<readonly Ban[]> {
    return Promise.resolve(this.banned);
  }

  readonly kept = new Map<string, Incident>();

  incidents(): Promise<readonly Incident[]> {
    return Promise.resolve([...this.kept.values()]);
  }

  putIncident(incident: Incident): Promise<void> {
    this.kept.set(incident.id, incident);
    return Promise.resolve();
  }

  readonly money = new Map<string, string>();

  spend(): Promise<readonly SpendRow[]> {
    return Promise.resolve([...this.money].map(([key, value]) => ({ key, value })));
  }

  putSpend(put: readonly SpendRow[], remove: readonly string[]): Promise<void> {
    return this.#write(() => {
      for (const key of remove) this.money.delete(key);
      for (const { key, value } of put) this.money.set(key, value);
    });
  }

  putBans({ put }: BanWrite): Promise<void> {
    return this.#write(() => void this.banned.push(...put));
  }

  putZrtpPeer(peer: ZrtpPeer): Promise<void> {
    return this.#write(() => void this.zrtp.set(peer.party, peer));
  }

  readonly standings = new Map<string, AccountRow>();
  readonly factorRows = new Map<string, FactorRow>();

  factors(): Promise<readonly FactorRow[]> {
    return Promise.resolve([...this.factorRows.values()]);
  }

  putFactors(put: readonly FactorRow[], remove: readonly FactorName[]): Promise<void> {
    const copies = put.map((row) => ({ ...row, secret: Uint8Array.from(row.secret) }));
    return this.#write(() => {
      for (const { domain, user, id } of remove) this.factorRows.delete(`${domain}\n${user}\n${id}`);
      for (const row of copies) this.factorRows.set(`${row.domain}\n${row.user}\n${row.id}`, row);
    });
  }

  accounts(): Promise<readonly AccountRow[]> {
    return Promise.resolve([...this.standings.values()]);
  }

  putAccounts(put: readonly AccountRow[], remove: readonly AccountRow[]): Promise<void> {
    return this.#write(() => {
      for (const row of remove) this.standings.delete(accountKey(row));
      for (const row of put) this.standings.set(accountKey(row), row);
    });
  }

  putBindings(
    put: readonly Binding[],
    remove: readonly { domain: string; user: string; key: string }[],
  ): Promise<void> {
    return this.#write(() => {
      for (const { domain, user, key } of remove) this.table.delete(`${domain}\n${user}\n${key}`);
      for (const binding of put)
        this.table.set(`${binding.domain}\n${binding.user}\n${binding.key}`, binding);
    });
  }

  putCall(record: CallRecord, journal = ''): Promise<void> {
    return this.#write(() => {
      this.records.push(record);
      if (record.endedAt === undefined) this.journal.set(record.id, { record, journal });
      else this.journal.delete(record.id);
    });
  }

  openCalls(): Promise<readonly OpenCall[]> {
    return Promise.resolve([...this.journal.values()]);
  }

  closeInterrupted(): Promise<number> {
    return Promise.resolve(0);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #write(change: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#time.after(this.latency, () => {
        if (this.fails) return reject(new Error('disk full'));
        change();
        resolve();
      });
    });
  }
}
