import { parseQualityReport } from '@ringfence/rtp/quality-report.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { parseMediaType } from '@ringfence/sip/message/media-type.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { Principal } from '../policy/types.ts';
import { eventOf } from '../subscription/packages.ts';
import type { CallServices } from './services.ts';

const mediaType = 'application/vq-rtcpxr';

/** A PUBLISH with what a phone has measured of a call (RFC 6035 §3.1); whose it is, the edge keeps and answers it itself. */
export const isQualityReport = (request: SipRequest): boolean =>
  request.method === 'PUBLISH' && eventOf(request)?.name === 'vq-rtcpxr';

/**
 * Tells of a phone's report. Only of devices that have proven who they are; the call is named by the Call-ID that the
 * phone knows it by, which stands in the call's record too. Addresses and names in the report are left out.
 */
export function acceptQualityReport(
  services: CallServices,
  request: SipRequest,
  principal: Principal,
  answer: (status: number, headers?: HeaderList) => void,
): void {
  if (principal.kind !== 'device') return answer(403);
  const type = parseMediaType(request.headers.get('Content-Type') ?? '');
  if (!type.ok || type.value.type !== mediaType)
    return answer(415, new HeaderList().add('Accept', mediaType));
  const report = parseQualityReport(request.body);
  if (!report.ok) return answer(report.error === 'limit' ? 413 : 400);
  const { domain, user, device } = principal;
  services.bus.emit({ type: 'call.quality-report', domain, user, device, ...report.value });
  // RFC 3903 §6: nothing is kept that could be refreshed.
  answer(200, new HeaderList().add('SIP-ETag', services.token(16)).add('Expires', '0'));
}
