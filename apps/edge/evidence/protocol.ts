import type { EvidenceRequest, FoundMessages } from './maker.ts';

/** To the thread that makes one bundle. */
export interface WorkOrder {
  readonly request: EvidenceRequest;
  /** Folder that it is written into. */
  readonly folder: string;
}

export type ToWorker = { readonly kind: 'found' } & FoundMessages;

export type FromWorker =
  | { readonly kind: 'find'; readonly callIds: readonly string[] }
  | {
      readonly kind: 'made';
      readonly file: string;
      readonly id: string;
      readonly octets: number;
      readonly messages: number;
    }
  | { readonly kind: 'failed'; readonly text: string };
