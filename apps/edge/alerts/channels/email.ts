import type { Result } from '@ringfence/bytes/result.ts';
import { subjectOf, textOf } from '../words.ts';
import type { Channel } from './channel.ts';

/** Sends mail, as apps/edge/mail does. */
export interface MailSender {
  send(mail: {
    readonly to: string;
    readonly subject: string;
    readonly text: string;
  }): Promise<Result<void, { readonly detail: string; readonly passing?: boolean }>>;
}

/** One mail for each mailbox. */
export function email(to: readonly string[], mail: MailSender): Channel {
  return async (deliveries, { node }) => {
    const subject = `[Ringfence] ${subjectOf(deliveries)}`.slice(0, 200);
    const text = textOf(deliveries, node);
    for (const mailbox of to) {
      const sent = await mail.send({ to: mailbox, subject, text });
      if (!sent.ok) throw new Error(`mail: ${sent.error.detail}`);
    }
  };
}
