import type { HeaderList } from '../message/header-list.ts';
import type { SipMessage, SipRequest, SipResponse, Uri } from '../message/types.ts';

export interface DialogRequestFields {
  /** Value of the Contact header field, e.g. `<sip:edge@192.0.2.1>`. */
  readonly contact?: string;
  readonly headers?: HeaderList;
  readonly body?: Uint8Array;
}

export type DialogVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly status: number; readonly reason: string; readonly headers?: HeaderList };

export declare class Dialog {
  static uac(request: SipRequest, response: SipResponse): Dialog;
  static uas(request: SipRequest, response: SipResponse): Dialog;
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** Compare with `dialogKey` / `requestDialogKey`. */
  readonly key: string;
  readonly state: 'early' | 'confirmed' | 'terminated';
  readonly localSeq: number | undefined;
  readonly remoteSeq: number | undefined;
  readonly remoteTarget: Uri;
  readonly routeSet: readonly string[];
  readonly secure: boolean;
  request(method: string, fields?: DialogRequestFields): SipRequest;
  ack(inviteCseq: number, fields?: DialogRequestFields): SipRequest;
  receive(request: SipRequest): DialogVerdict;
  refreshTarget(message: SipMessage): void;
  confirm(response: SipResponse): void;
  terminate(): void;
}

/** Key under which an incoming request's dialog is found, undefined where it has no To tag. */
export declare function requestDialogKey(request: SipRequest): string | undefined;
