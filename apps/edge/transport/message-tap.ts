import type { Flow } from '@ringfence/sip/transport/flow.ts';

/** Sees SIP messages as they come out of their transport and go into it; whoever keeps bytes copies them. */
export interface MessageTap {
  received(flow: Flow, bytes: Uint8Array): void;
  sent(flow: Flow, bytes: Uint8Array): void;
}
