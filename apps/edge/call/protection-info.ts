import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { gradeOf, type Recording } from '../policy/grade.ts';
import { type CallGrade, lived } from '../policy/grade-life.ts';
import { asSeenBy } from '../policy/leg-level.ts';
import type { LegProtection } from '../policy/protection.ts';
import type { CallLeg } from './leg.ts';
import type { CallServices } from './services.ts';

/** Info Package (RFC 6086) by which a phone is told what protects its call, and says that two people have compared. */
export const protectionPackage = 'ringfence-protection';

/** Longest body of such an INFO that is read. */
const mostOctets = 1024;

/** Whether a Recv-Info (RFC 6086 §5.2.1) names the package. */
export const takesProtection = (headers: HeaderList): boolean =>
  headers.values('Recv-Info').some((value) => packageOf(value) === protectionPackage);

/** Name of a package without its parameters. */
export function packageOf(value: string): string {
  const end = value.indexOf(';');
  return (end < 0 ? value : value.slice(0, end)).trim().toLowerCase();
}

/**
 * Tells one phone what protects its call: when it is answered, and whenever that changes. Grade and sentence are
 * those of the record, but name nobody: who the other side is may be nobody's business (RFC 3323).
 *
 * One INFO is under way at a time; of what changes meanwhile the last is told. A phone that refuses one gets no more.
 */
export class ProtectionInfo {
  readonly #services: CallServices;
  readonly #leg: CallLeg;
  #life: CallGrade | undefined;
  #said = '';
  #waiting: string | undefined;
  #busy = false;

  constructor(services: CallServices, leg: CallLeg) {
    this.#services = services;
    this.#leg = leg;
  }

  /** `recording`: somebody has the call forked to him. That he does is told, who it is is not. */
  tell(protection: readonly LegProtection[], recording?: Recording): void {
    const legs = asSeenBy(protection, this.#leg.index);
    const unnamed = recording && {
      by: 'a recorder',
      protection: { ...recording.protection, party: 'seen:recorder' },
    };
    this.#life = lived(this.#life, gradeOf(legs, unnamed), this.#services.now());
    const { grade, sentence, now } = this.#life;
    const shared = sasOf(protection, this.#leg.index);
    const text = JSON.stringify({ grade, now, sentence, ...shared });
    if (this.#busy) this.#waiting = text;
    else this.#send(text);
  }

  #send(text: string): void {
    const { dialog } = this.#leg;
    if (text === this.#said || dialog?.state !== 'confirmed' || !this.#leg.takesProtection) return;
    this.#said = text;
    this.#busy = true;
    const headers = new HeaderList()
      .add('Info-Package', protectionPackage)
      .add('Content-Disposition', 'Info-Package')
      .add('Content-Type', 'application/json');
    const request = dialog.request('INFO', {
      contact: this.#leg.contact,
      headers,
      body: Buffer.from(text, 'utf8'),
    });
    const done = (status: number): void => {
      if (status < 200) return;
      this.#busy = false;
      if (status >= 300) this.#leg.takesProtection = false;
      const next = this.#waiting;
      this.#waiting = undefined;
      if (next !== undefined) this.#send(next);
    };
    this.#leg.send(request, { response: ({ status }) => done(status), failed: () => done(408) });
  }
}

/**
 * The short authentication string that people on this leg can compare: that of the other side's ZRTP, or of their own
 * (RFC 6189 §7.3). Both ends of ZRTP that passes have one that is none of ours.
 */
function sasOf(
  protection: readonly LegProtection[],
  index: number,
): { readonly sas?: string; readonly confirmed?: boolean } {
  const withOne = protection.filter(
    ({ media: { zrtp } }) => zrtp?.mode === 'end' && zrtp.confirmed && zrtp.sas !== undefined,
  );
  const leg = withOne.find((one) => one.leg !== index) ?? withOne[0];
  const zrtp = leg?.media.zrtp;
  return zrtp?.sas === undefined ? {} : { sas: zrtp.sas, confirmed: zrtp.verified === true };
}

/** The string that a person has found to be the same; undefined where the body does not say so. */
export function readConfirmation(body: Uint8Array): string | undefined {
  if (body.length > mostOctets) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    if (typeof value !== 'object' || value === null) return undefined;
    const { confirmed, sas } = value as Readonly<Record<string, unknown>>;
    return confirmed === true && typeof sas === 'string' && sas !== '' ? sas : undefined;
  } catch {
    return undefined;
  }
}
