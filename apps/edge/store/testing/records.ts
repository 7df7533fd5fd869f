import type { Binding, CallRecord } from '../contract.ts';

/** A registration as a phone over TLS makes it. */
export const binding = (n: number, fields: Partial<Binding> = {}): Binding => ({
  domain: 'example.test',
  user: `user${n}`,
  device: `user${n}`,
  key: `sip:user${n}@192.0.2.${n % 250}:5061`,
  contact: `<sip:user${n}@192.0.2.${n % 250}:5061;transport=tls>`,
  callId: `call-id-${n}`,
  cseq: n,
  expiresAt: 1_800_000_000_000 + n,
  transport: 'tls',
  source: `192.0.2.${n % 250}:5061`,
  listener: 'phones',
  userAgent: 'Phone "é" 1.0',
  updatedAt: 1_790_000_000_000 + n,
  ...fields,
});

/** An answered call with two legs; `endedAt` makes it a finished one. */
export const call = (id: string, fields: Partial<CallRecord> = {}): CallRecord => ({
  id,
  domain: 'example.test',
  startedAt: 1_790_000_000_000,
  ringingAt: 1_790_000_000_500,
  answeredAt: 1_790_000_001_000,
  caller: 'sip:alice@example.test',
  callee: 'sip:bob@example.test',
  principal: 'device:alice@example.test/desk',
  route: 'user:bob',
  disposition: fields.endedAt === undefined ? 'live' : 'answered',
  status: 200,
  cause: 'normal',
  decision: '{"verdict":"accept","reasons":[]}',
  grade: '{"grade":"hop-by-hop","sentence":"Hop by hop.","changes":[]}',
  legs: [0, 1].map((index) => ({
    index,
    direction: index === 0 ? 'in' : 'out',
    principal: 'device:alice@example.test/desk',
    remote: '192.0.2.1:5061',
    transport: 'tls',
    callId: `leg-${index}-${id}`,
    status: 200,
    startedAt: 1_790_000_000_000,
    answeredAt: 1_790_000_001_000,
    ...(fields.endedAt === undefined ? {} : { endedAt: fields.endedAt }),
    protection: '{"leg":0}',
    quality: fields.endedAt === undefined ? '' : '{"mos":4.4}',
  })),
  ...fields,
});
