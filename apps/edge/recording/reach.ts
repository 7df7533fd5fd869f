import type { SipUri } from '@ringfence/sip/message/types.ts';
import { parseUri } from '@ringfence/sip/message/uri.ts';
import type { Candidate } from '@ringfence/sip/resolve/target.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { Trunk } from '../objects/types.ts';
import { drawOrder, targetsOf } from '../trunks/order.ts';
import type { RecorderWay } from './session.ts';

export interface ReachParts {
  random(): number;
  resolve(uri: SipUri): Promise<readonly Candidate[]>;
  connect(candidate: Candidate): Promise<Flow | undefined>;
}

/** The first address of a recording server that a connection comes about with; only TLS where encryption is required. */
export async function reachRecorder(trunk: Trunk, parts: ReachParts): Promise<RecorderWay | undefined> {
  for (const { target } of drawOrder(targetsOf(trunk), () => parts.random())) {
    const parsed = parseUri(target);
    if (!parsed.ok || (parsed.value.scheme !== 'sip' && parsed.value.scheme !== 'sips')) continue;
    for (const candidate of await parts.resolve(parsed.value)) {
      if (trunk.encryption === 'required' && candidate.transport !== 'tls') continue;
      const flow = await parts.connect(candidate);
      if (flow !== undefined) return { uri: parsed.value, flow };
    }
  }
  return undefined;
}
