import type {
  HandshakeEvent,
  Secured,
  Unsecured,
  ZrtpPassed,
  ZrtpRetained,
} from '@ringfence/relay/handshake.ts';
import type { TamperKind } from '../policy/known-peers.ts';
import type { ZrtpProtection } from '../policy/protection.ts';
import type { CallLeg } from './leg.ts';
import type { CallServices } from './services.ts';
import { tell } from './tampering.ts';

/** What of a call its ZRTP concerns. */
export interface ZrtpCall {
  readonly id: string;
  /** Nothing ends it for what its ZRTP shows. */
  readonly emergency: boolean;
  legs(): readonly CallLeg[];
  /** Ends it for what has become of that leg; both sides are told why. */
  end(leg: CallLeg, why: string): void;
  /** A person has compared this string of that leg with the one that the edge has: they are the same, or not. */
  compared(leg: CallLeg, sas: string, same: boolean): boolean;
}

/** By what somebody has said whether the strings are the same: keys of the phone, its page, the command line. */
export type ComparedBy = 'keys' | 'phone-page' | 'administrator';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/**
 * ZRTP of one call: tells what it came to, takes care that what is demanded is there in time, tells tampering, and
 * hears the keys by which a user says that the strings are the same.
 */
export class ZrtpWatch {
  readonly #services: CallServices;
  readonly #call: ZrtpCall;
  /** What was told already: at most some for each leg. */
  readonly #told = new Set<string>();
  /** Keys that were pressed last, by leg: no more than the code has. */
  readonly #pressed = new Map<number, string>();
  #stopWaiting: (() => void) | undefined = undefined;

  constructor(services: CallServices, call: ZrtpCall) {
    this.#services = services;
    this.#call = call;
  }

  /** ZRTP is demanded of some side: it has to be waited for. */
  static isDemanded(legs: readonly CallLeg[]): boolean {
    return legs.some(demands);
  }

  /** The call was answered: from now on what is demanded is waited for. */
  answered(): void {
    const { demandSeconds } = this.#services.config().media.zrtp;
    this.#stopWaiting?.();
    this.#stopWaiting = this.#services.after(1000 * demandSeconds, () =>
      this.#services.run(() => this.#judge(demandSeconds)),
    );
  }

  handshake(leg: CallLeg, event: HandshakeEvent): void {
    if (event.kind === 'zrtp-passed') return this.#passed(leg, event);
    if (event.kind === 'secured' && event.by === 'zrtp') return this.#secured(leg, event);
    if (event.kind === 'unsecured' && event.by === 'zrtp') this.#unsecured(leg, event);
  }

  /** A key of the code that stands for `the strings are the same`, or of nothing. True: that was the last one of it. */
  pressed(leg: CallLeg, key: string): boolean {
    const { sasCode } = this.#services.config().media.zrtp;
    const keys = `${this.#pressed.get(leg.index) ?? ''}${key}`.slice(-sasCode.length);
    this.#pressed.set(leg.index, keys);
    if (keys !== sasCode) return false;
    this.#pressed.delete(leg.index);
    const sas = stringOf(leg);
    return sas !== undefined && this.compared(leg, sas, true, 'keys');
  }

  /**
   * A person has compared the string of that leg. The same: the phone is known from now on. Not the same: somebody is in
   * the middle; what was kept of the phone is forgotten, and the call ends where policy has it so. False: the leg has no
   * such string.
   */
  compared(leg: CallLeg, sas: string, same: boolean, by: ComparedBy): boolean {
    if (!this.#call.compared(leg, sas, same)) return false;
    if (same)
      this.#services.bus.emit({
        type: 'zrtp.sas-confirmed',
        call: this.#call.id,
        leg: leg.index,
        party: leg.party,
        sas,
        by,
      });
    else {
      const party = leg.media?.side.party;
      if (party !== undefined) this.#services.zrtpPeers.forget(party);
      this.#tampering(leg, 'zrtp-string', { sas, by }, 'The short authentication strings differ');
    }
    return true;
  }

  stop(): void {
    this.#stopWaiting?.();
  }

  #passed(leg: CallLeg, { zid, helloMatches, confirmed }: ZrtpPassed): void {
    if (helloMatches === false)
      this.#tampering(leg, 'zrtp-hello', { zid: hex(zid) }, 'ZRTP is not of whom signalling has named');
    if (!confirmed || !this.#once(`passed ${leg.index} ${hex(zid)}`)) return;
    this.#services.bus.emit({
      type: 'zrtp.passed',
      call: this.#call.id,
      leg: leg.index,
      party: leg.party,
      zid: hex(zid),
      ...(helloMatches === undefined ? {} : { helloMatches }),
    });
    // A Hello that nobody vouches for says nothing of whose it is.
    if (helloMatches === true) this.#known(leg, { zid, rs1: new Uint8Array(0), verified: false });
  }

  #secured(leg: CallLeg, { zrtp, cipher, group }: Secured): void {
    if (zrtp === undefined) return;
    const { peerZid, sas, sasType, continuity, verified, enrolled, relayed, retained } = zrtp;
    if (this.#once(`secured ${leg.index} ${sas}`))
      this.#services.bus.emit({
        type: 'zrtp.secured',
        call: this.#call.id,
        leg: leg.index,
        party: leg.party,
        zid: hex(peerZid),
        sas,
        sasType: sasType.trim(),
        continuity,
        verified,
        ...(enrolled === true ? { enrolled } : {}),
        cipher,
        group,
      });
    if (relayed !== undefined && this.#once(`relayed ${leg.index} ${relayed}`))
      this.#services.bus.emit({
        type: 'zrtp.sas-relayed',
        call: this.#call.id,
        leg: leg.index,
        party: leg.party,
        sas: relayed,
      });
    if (continuity === 'mismatch')
      this.#tampering(
        leg,
        'zrtp-continuity',
        { zid: hex(peerZid), sas },
        'The ZRTP secret of an earlier call is not what it was',
      );
    else this.#known(leg, retained);
    retained.rs1.fill(0);
    retained.rs2?.fill(0);
    retained.pbx?.fill(0);
  }

  #unsecured(leg: CallLeg, { reason, detail }: Unsecured): void {
    const kind =
      reason === 'hello-hash'
        ? 'zrtp-hello'
        : reason === 'authentication'
          ? 'zrtp-authentication'
          : undefined;
    if (kind !== undefined)
      this.#tampering(leg, kind, { detail }, 'Somebody is in the middle of the ZRTP of this call');
    if (demands(leg) && reason !== 'hello-hash') this.#missing(leg, 0);
  }

  #known(leg: CallLeg, retained: ZrtpRetained): void {
    const party = leg.media?.side.party;
    // Behind a trunk there are many.
    if (party === undefined || !party.startsWith('device:')) return;
    const before = this.#services.zrtpPeers.keep(party, retained);
    if (before === undefined) return;
    this.#tampering(
      leg,
      'zrtp-identity',
      { before: hex(before), now: hex(retained.zid) },
      'This phone has another ZRTP identity than in earlier calls',
    );
  }

  #tampering(leg: CallLeg, kind: TamperKind, evidence: Readonly<Record<string, string>>, why: string): void {
    if (!this.#once(`${kind} ${leg.index}`)) return;
    const wanted = demands(leg) || this.#services.config().media.zrtp.tampering === 'end';
    const ends = wanted && !this.#call.emergency;
    const one = { leg: leg.index, party: leg.party };
    tell(this.#services, this.#call.id, one, { kind, evidence }, ends ? 'ended' : 'told');
    if (ends) this.#call.end(leg, why);
  }

  #judge(seconds: number): void {
    const lacking = this.#call.legs().find((leg) => demands(leg) && !isConfirmed(leg));
    if (lacking !== undefined) this.#missing(lacking, seconds);
  }

  #missing(leg: CallLeg, seconds: number): void {
    if (!this.#once(`missing ${leg.index}`)) return;
    this.#services.bus.emit({
      type: 'zrtp.missing',
      call: this.#call.id,
      leg: leg.index,
      party: leg.party,
      seconds,
    });
    this.#call.end(leg, 'ZRTP is demanded, and there are no keys by it');
  }

  #once(what: string): boolean {
    if (this.#told.size >= mostTold || this.#told.has(what)) return false;
    this.#told.add(what);
    return true;
  }
}

const mostTold = 64;

const demands = ({ media }: CallLeg): boolean => media?.side.zrtpPolicy === 'demand';

const zrtpOf = ({ media }: CallLeg): ZrtpProtection[] =>
  media?.streams.flatMap((stream) => stream?.shown?.zrtp ?? []) ?? [];

/** What a person at that leg can compare; undefined: nothing, for ZRTP does not end here, or has no keys yet. */
export function stringOf(leg: CallLeg): string | undefined {
  const sas = zrtpOf(leg).find(({ mode, confirmed }) => mode === 'end' && confirmed)?.sas;
  return sas === '' ? undefined : sas;
}

/** Every stream that could be heard has its keys by ZRTP. */
const isConfirmed = ({ media }: CallLeg): boolean =>
  media?.streams.every((stream) => stream === undefined || stream.shown?.zrtp?.confirmed === true) ?? false;
