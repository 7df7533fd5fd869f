import { readFile } from 'node:fs/promises';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { isMailbox, type MailSettings } from '../config/mail.ts';

/** Plain text; the subject is one line. */
export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

export interface MailProblem {
  /** `unset`: no server is configured; `tls`: it has no TLS that we accept; `refused`: it does not take this mail. */
  readonly code: 'unset' | 'busy' | 'recipient' | 'unreachable' | 'tls' | 'login' | 'refused';
  readonly detail: string;
  /** It may go later. */
  readonly passing: boolean;
}

const connectMs = 10_000;
const answerMs = 20_000;
/** Mails on their way at once; a server that says nothing must not hold memory without bound. */
const mostAtOnce = 16;
const longestText = 64 * 1024;

/**
 * Sends mail by SMTP (RFC 5321), with TLS demanded unless the configuration says otherwise (RFC 8314 §3).
 *
 * A connection a mail: what is sent is rare. A promise settles within half a minute; nothing is kept or tried again, since
 * only whoever sends knows for how long it matters.
 */
export class Mailer {
  readonly #settings: () => MailSettings;
  #sending = 0;

  constructor(settings: () => MailSettings) {
    this.#settings = settings;
  }

  /** There is a server that could be asked. */
  get ready(): boolean {
    return this.#settings().host !== undefined;
  }

  async send({ to, subject, text }: Mail): Promise<Result<void, MailProblem>> {
    const settings = this.#settings();
    const { host, from } = settings;
    if (host === undefined || from === undefined)
      return problem('unset', 'ringfence.yaml names no mail.host', false);
    if (!isMailbox(to)) return problem('recipient', 'the recipient is not a mailbox', false);
    if (this.#sending >= mostAtOnce) return problem('busy', `${mostAtOnce} mails are on their way`, true);
    this.#sending += 1;
    try {
      const transport = await transportOf(settings, host);
      try {
        await transport.sendMail({
          from,
          to,
          subject: oneLine(subject),
          text: text.slice(0, longestText),
          // RFC 3834 §5: no robot need answer.
          headers: { 'Auto-Submitted': 'auto-generated' },
          disableFileAccess: true,
          disableUrlAccess: true,
        });
        return ok(undefined);
      } finally {
        transport.close();
      }
    } catch (error) {
      return err(problemOf(error as SmtpError));
    } finally {
      this.#sending -= 1;
    }
  }
}

async function transportOf(settings: MailSettings, host: string) {
  const { security, port, username, passwordFile, authority } = settings;
  const { createTransport } = await import('nodemailer');
  const [password, ca] = await Promise.all([
    passwordFile === undefined ? undefined : readFile(passwordFile, 'utf8'),
    authority === undefined ? undefined : readFile(authority, 'utf8'),
  ]);
  return createTransport({
    host,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    tls: { minVersion: 'TLSv1.2', rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) },
    connectionTimeout: connectMs,
    greetingTimeout: connectMs,
    socketTimeout: answerMs,
    dnsTimeout: connectMs,
    ...(username === undefined ? {} : { auth: { user: username, pass: (password ?? '').trimEnd() } }),
  });
}

interface SmtpError extends Error {
  readonly code?: string;
  readonly responseCode?: number;
}

function problemOf({ code = '', responseCode, message }: SmtpError): MailProblem {
  const detail = oneLine(message);
  if (code === 'EAUTH') return { code: 'login', detail, passing: false };
  if (code === 'ETLS' || code.includes('CERT') || code.startsWith('ERR_TLS') || code.startsWith('ERR_SSL'))
    return { code: 'tls', detail, passing: false };
  // RFC 5321 §4.2.1: 4yz may work later, 5yz will not.
  if (responseCode !== undefined) return { code: 'refused', detail, passing: responseCode < 500 };
  return { code: 'unreachable', detail, passing: true };
}

const oneLine = (text: string): string =>
  [...text.slice(0, 500)].map((c) => (c < ' ' || c === '\u007f' ? ' ' : c)).join('');

const problem = (
  code: MailProblem['code'],
  detail: string,
  passing: boolean,
): { readonly ok: false; readonly error: MailProblem } => err({ code, detail, passing });
