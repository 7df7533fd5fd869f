import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { tagOf } from '../message/build.ts';
import { HeaderList } from '../message/header-list.ts';
import { parseNameAddr, serializeNameAddr } from '../message/name-addr.ts';
import type { NameAddr, SipMessage, SipRequest, SipResponse, Uri } from '../message/types.ts';
import { parseUri, serializeUri } from '../message/uri.ts';
import { asRequestUri, contactUri, recordRoute, routeRequest } from './route.ts';

export interface DialogRequestFields {
  /** Value of the Contact header field, e.g. `<sip:edge@192.0.2.1>`; target refresh requests need one. */
  readonly contact?: string;
  /** Further header fields, after Route and Contact. */
  readonly headers?: HeaderList;
  readonly body?: Uint8Array;
  /** Default 70. */
  readonly maxForwards?: number;
}

export type DialogState = 'early' | 'confirmed' | 'terminated';

export type DialogVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly status: number; readonly reason: string; readonly headers?: HeaderList };

const noBody = new Uint8Array(0);

const tagText = (party: NameAddr): string => tagOf(party) ?? '';

/** What dialogs are found by. The separator is a character that no header field can hold. */
export function dialogKey(callId: string, localTag: string, remoteTag: string): string {
  return `${callId}\n${localTag}\n${remoteTag}`;
}

/** Key of the dialog that an incoming request belongs to, undefined where it has no To tag (RFC 3261 §12.2.2). */
export function requestDialogKey(request: SipRequest): string | undefined {
  const local = tagText(request.to);
  return local === '' ? undefined : dialogKey(request.callId, local, tagText(request.from));
}

/** Key of the dialog that an incoming response makes or belongs to, undefined where it has no To tag (§12.1.2). */
export function responseDialogKey(response: SipResponse): string | undefined {
  const remote = tagText(response.to);
  return remote === '' ? undefined : dialogKey(response.callId, tagText(response.from), remote);
}

/**
 * Why a message cannot make a dialog: no usable Contact, or a Record-Route that is malformed or too long.
 *
 * Ask before `Dialog.uas` and `Dialog.uac`; they take what they find and never fail on a peer's account.
 */
export function dialogRefusal(
  message: SipMessage,
): { readonly status: 400; readonly reason: string } | undefined {
  if (contactUri(message) === undefined) return { status: 400, reason: 'Bad Contact' };
  if (recordRoute(message) === undefined) return { status: 400, reason: 'Bad Record-Route' };
  return undefined;
}

interface DialogFields {
  readonly callId: string;
  readonly local: NameAddr;
  readonly remote: NameAddr;
  readonly localSeq: number | undefined;
  readonly remoteSeq: number | undefined;
  readonly remoteTarget: Uri;
  readonly routeSet: readonly string[];
  readonly secure: boolean;
  readonly state: DialogState;
}

/** A confirmed dialog as plain data, for whoever has to go on with it in another process. */
export interface DialogSnapshot {
  readonly callId: string;
  readonly local: string;
  readonly remote: string;
  /** -1 where no request went that way yet. */
  readonly localSeq: number;
  readonly remoteSeq: number;
  readonly remoteTarget: string;
  readonly routeSet: readonly string[];
  readonly secure: boolean;
}

/** Requests of ours that may have been sent since the snapshot was taken: a gap in CSeq is no error (§12.2.2). */
const restoredGap = 10_000;

/**
 * Peer-to-peer relation of two user agents, RFC 3261 §12: makes the requests of one side, orders those of the other.
 *
 * `now` plays no part: what expires belongs to transactions and to the owner.
 */
export class Dialog {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  readonly key: string;
  /** From of our requests: local URI and tag. */
  readonly local: NameAddr;
  /** To of our requests: remote URI and tag. */
  readonly remote: NameAddr;
  /** True where the dialog was made with a sips URI over TLS. */
  readonly secure: boolean;
  #state: DialogState;
  #localSeq: number | undefined;
  #remoteSeq: number | undefined;
  #remoteTarget: Uri;
  #routeSet: readonly string[];

  private constructor(fields: DialogFields) {
    this.callId = fields.callId;
    this.local = fields.local;
    this.remote = fields.remote;
    this.localTag = tagText(fields.local);
    this.remoteTag = tagText(fields.remote);
    this.key = dialogKey(this.callId, this.localTag, this.remoteTag);
    this.secure = fields.secure;
    this.#state = fields.state;
    this.#localSeq = fields.localSeq;
    this.#remoteSeq = fields.remoteSeq;
    this.#remoteTarget = fields.remoteTarget;
    this.#routeSet = fields.routeSet;
  }

  /** The caller's dialog, out of a 1xx with To tag (early) or a 2xx (confirmed). RFC 3261 §12.1.2. */
  static uac(request: SipRequest, response: SipResponse): Dialog {
    return new Dialog({
      callId: response.callId,
      local: request.from,
      remote: response.to,
      localSeq: request.cseq.number,
      remoteSeq: undefined,
      remoteTarget: asRequestUri(contactUri(response) ?? request.uri),
      routeSet: (recordRoute(response) ?? []).reverse(),
      secure: request.uri.scheme === 'sips',
      state: response.status < 200 ? 'early' : 'confirmed',
    });
  }

  /** The called side's dialog; `response` is ours and carries the local tag. RFC 3261 §12.1.1. */
  static uas(request: SipRequest, response: SipResponse): Dialog {
    if (tagText(response.to) === '')
      throw new MisuseError('missing-tag', 'a response without To tag makes no dialog');
    return new Dialog({
      callId: request.callId,
      local: response.to,
      remote: request.from,
      localSeq: undefined,
      remoteSeq: request.cseq.number,
      remoteTarget: asRequestUri(contactUri(request) ?? request.from.uri),
      routeSet: recordRoute(request) ?? [],
      secure: request.uri.scheme === 'sips',
      state: response.status < 200 ? 'early' : 'confirmed',
    });
  }

  /** What `restore` needs, as long as the dialog is confirmed. Holds no secrets but the tags. */
  snapshot(): DialogSnapshot {
    return {
      callId: this.callId,
      local: serializeNameAddr(this.local),
      remote: serializeNameAddr(this.remote),
      localSeq: this.#localSeq ?? -1,
      remoteSeq: this.#remoteSeq ?? -1,
      remoteTarget: serializeUri(this.#remoteTarget),
      routeSet: this.#routeSet,
      secure: this.secure,
    };
  }

  /**
   * A confirmed dialog out of its snapshot; undefined where that is none.
   *
   * Our CSeq goes on well above the snapshot's, since requests may have been sent after it was taken.
   */
  static restore(snapshot: DialogSnapshot): Dialog | undefined {
    const local = parseNameAddr(snapshot.local);
    const remote = parseNameAddr(snapshot.remote);
    const target = parseUri(snapshot.remoteTarget);
    if (!local.ok || !remote.ok || !target.ok || tagText(local.value) === '') return undefined;
    return new Dialog({
      callId: snapshot.callId,
      local: local.value,
      remote: remote.value,
      localSeq: Math.max(0, snapshot.localSeq) + restoredGap,
      remoteSeq: snapshot.remoteSeq < 0 ? undefined : snapshot.remoteSeq,
      remoteTarget: target.value,
      routeSet: snapshot.routeSet,
      secure: snapshot.secure,
      state: 'confirmed',
    });
  }

  get state(): DialogState {
    return this.#state;
  }

  get localUri(): Uri {
    return this.local.uri;
  }

  get remoteUri(): Uri {
    return this.remote.uri;
  }

  get localSeq(): number | undefined {
    return this.#localSeq;
  }

  get remoteSeq(): number | undefined {
    return this.#remoteSeq;
  }

  get remoteTarget(): Uri {
    return this.#remoteTarget;
  }

  /** Route values in the order in which requests of ours carry them. */
  get routeSet(): readonly string[] {
    return this.#routeSet;
  }

  /** A request within the dialog with the next CSeq, RFC 3261 §12.2.1.1. Not for ACK and CANCEL. */
  request(method: string, fields: DialogRequestFields = {}): SipRequest {
    if (method === 'ACK' || method === 'CANCEL') {
      throw new MisuseError('not-in-dialog', `${method} takes the CSeq of its INVITE`);
    }
    this.#localSeq = (this.#localSeq ?? 0) + 1;
    return this.#make(method, this.#localSeq, fields);
  }

  /** ACK of a 2xx, RFC 3261 §13.2.2.4; credentials of the INVITE belong into `headers`. */
  ack(inviteCseq: number, fields: DialogRequestFields = {}): SipRequest {
    return this.#make('ACK', inviteCseq, fields);
  }

  /**
   * Judges the CSeq of a request that came for this dialog, RFC 3261 §12.2.2.
   *
   * A number that is not higher than the last is 500; ACK and CANCEL carry the number of their INVITE.
   */
  receive(request: SipRequest): DialogVerdict {
    if (request.method === 'ACK' || request.method === 'CANCEL') return { ok: true };
    const { number } = request.cseq;
    if (this.#remoteSeq !== undefined && number <= this.#remoteSeq) {
      return { ok: false, status: 500, reason: 'CSeq Out Of Order' };
    }
    this.#remoteSeq = number;
    return { ok: true };
  }

  /** Takes the Contact of a target refresh request, or of its 2xx, as the new remote target (§12.2.1.2, §12.2.2). */
  refreshTarget(message: SipMessage): void {
    const contact = contactUri(message);
    if (contact !== undefined) this.#remoteTarget = asRequestUri(contact);
  }

  /**
   * The 2xx that makes an early dialog a confirmed one.
   *
   * On the caller's side route set and remote target are taken from it anew (§13.2.2.4).
   */
  confirm(response: SipResponse): void {
    if (this.#state !== 'early') return;
    this.#state = 'confirmed';
    // On the called side the From is the peer's.
    if (tagText(response.from) !== this.localTag) return;
    this.refreshTarget(response);
    const routes = recordRoute(response);
    if (routes !== undefined) this.#routeSet = routes.reverse();
  }

  /** Ends the dialog, e.g. once a BYE was sent or answered (§15.1). */
  terminate(): void {
    this.#state = 'terminated';
  }

  #make(method: string, number: number, fields: DialogRequestFields): SipRequest {
    const { uri, routes } = routeRequest(this.#remoteTarget, this.#routeSet);
    const headers = new HeaderList();
    for (const route of routes) headers.add('Route', route);
    if (fields.contact !== undefined) headers.add('Contact', fields.contact);
    if (fields.headers !== undefined) {
      for (const [name, value] of fields.headers.entries()) headers.add(name, value);
    }
    return {
      kind: 'request',
      method,
      uri,
      via: [],
      from: this.local,
      to: this.remote,
      callId: this.callId,
      cseq: { number, method },
      maxForwards: fields.maxForwards ?? 70,
      headers,
      body: fields.body ?? noBody,
    };
  }
}
