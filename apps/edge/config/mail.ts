import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import type { DangerousSetting } from './checks.ts';
import type { Report } from './validate.ts';

/** The server that takes our mail. */
export const MailSettings = Type.Object(
  {
    host: Type.Optional(Type.String({ description: 'Name of the SMTP server. Default: no mail is sent.' })),
    port: Type.Integer({ minimum: 1, maximum: 65535, default: 587 }),
    security: Type.Union([Type.Literal('starttls'), Type.Literal('tls'), Type.Literal('none')], {
      default: 'starttls',
      description:
        'starttls: the connection becomes TLS before anything is said, or nothing is sent. tls: TLS from the first octet (port 465). none: needs `dangerousPlaintext`.',
    }),
    from: Type.Optional(Type.String({ description: 'Sender, such as `ringfence@example.com`.' })),
    username: Type.Optional(Type.String({ description: 'Login at the server, with `passwordFile`.' })),
    passwordFile: Type.Optional(
      Type.String({ description: 'File with the password, relative to this file; read for each mail.' }),
    ),
    authority: Type.Optional(
      Type.String({
        description:
          'PEM file with the CA that the certificate of the server is verified against. Default: the well-known ones.',
      }),
    ),
    dangerousPlaintext: Type.Optional(
      Type.Boolean({ description: 'Allows `security: none`: alerts can be read and changed on their way.' }),
    ),
  },
  {
    additionalProperties: false,
    default: {},
    description: 'Mail of the edge: alerts, and what users are told of their accounts.',
  },
);
export type MailSettings = Static<typeof MailSettings>;

/** One mailbox, without names, comments and lists: what is told to a server cannot become another command. */
export const isMailbox = (text: string): boolean => {
  const at = text.lastIndexOf('@');
  if (at < 1 || at > 64 || at === text.length - 1 || text.length > 254) return false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c <= 0x20 || c > 0x7e || '<>()[],;:\\"'.includes(text[i] as string)) return false;
  }
  return text.indexOf('@') === at;
};

/** Gives the settings with absolute paths. */
export function checkMail(
  mail: MailSettings,
  folder: string,
  report: Report,
  warnings: DangerousSetting[],
): MailSettings {
  const { host, from, security, username, passwordFile, authority } = mail;
  if (host === undefined) return mail;
  if (from === undefined || !isMailbox(from))
    report.value(
      'mail.from',
      from === undefined ? 'is missing' : 'is not a mailbox',
      'Write an address such as `ringfence@example.com`.',
    );
  if (security === 'none' && mail.dangerousPlaintext !== true)
    report.value(
      'mail.security',
      'is `none`: mail could be read and changed on its way',
      'Write `starttls` or `tls`; or, knowing that, add `dangerousPlaintext: true`.',
    );
  else if (security === 'none')
    warnings.push({ key: 'mail.dangerousPlaintext', meaning: 'mail of the edge goes out without TLS' });
  if ((username === undefined) !== (passwordFile === undefined))
    report.value(
      username === undefined ? 'mail.passwordFile' : 'mail.username',
      'stands alone',
      'Write `username` and `passwordFile`, or neither.',
    );
  const absolute = (path: string | undefined, key: string): string | undefined => {
    if (path === undefined) return undefined;
    const file = resolve(folder, path);
    if (!existsSync(file))
      report.value(key, `there is no file ${file}`, 'Correct the path, or make the file.');
    return file;
  };
  const password = absolute(passwordFile, 'mail.passwordFile');
  const ca = absolute(authority, 'mail.authority');
  return {
    ...mail,
    ...(password === undefined ? {} : { passwordFile: password }),
    ...(ca === undefined ? {} : { authority: ca }),
  };
}
