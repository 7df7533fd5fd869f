import type { Component } from './candidate.ts';
import { encodeStun } from './stun/encode.ts';
import type { VerifiedStun } from './stun/integrity.ts';
import type { StunAttributes, TransportAddress } from './stun/message.ts';

type Send = (component: Component, to: TransportAddress, bytes: Uint8Array) => void;

/** What is answered to verified requests, RFC 8445 §7.3; no answer is longer than a check. */
export class Replies {
  readonly #key: Uint8Array;
  readonly #send: Send;

  constructor(password: string, send: Send) {
    this.#key = new TextEncoder().encode(password);
    this.#send = send;
  }

  /** The key of requests to us and of our answers. */
  get key(): Uint8Array {
    return this.#key;
  }

  success(request: VerifiedStun, to: TransportAddress, component: Component): void {
    this.#reply(request, to, component, 'success', { mapped: to });
  }

  badRequest(request: VerifiedStun, to: TransportAddress, component: Component): void {
    this.#reply(request, to, component, 'error', { error: { code: 400, reason: 'Bad Request' } });
  }

  /** RFC 8489 §6.3.1. */
  unknownAttributes(request: VerifiedStun, to: TransportAddress, component: Component): void {
    const error = { code: 420, reason: 'Unknown Attribute' };
    this.#reply(request, to, component, 'error', { error, unknownAttributes: request.unknown });
  }

  /** RFC 8445 §7.3.1.1. */
  roleConflict(request: VerifiedStun, to: TransportAddress, component: Component): void {
    this.#reply(request, to, component, 'error', { error: { code: 487, reason: 'Role Conflict' } });
  }

  /** With the hash that the request had, RFC 8489 §9.1.3. */
  #reply(
    request: VerifiedStun,
    to: TransportAddress,
    component: Component,
    kind: 'success' | 'error',
    attributes: StunAttributes,
  ): void {
    const { transactionId, method, sha256At } = request;
    const integrity = sha256At === undefined ? 'sha1' : 'sha256';
    this.#send(
      component,
      to,
      encodeStun({ class: kind, method, transactionId, attributes }, { key: this.#key, integrity }),
    );
  }
}
