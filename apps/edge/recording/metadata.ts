/** RFC 7865: what a recorder is told of the call whose streams it gets. */
export interface RecordingMetadata {
  /** Identifiers: base64 of 16 octets each (RFC 7865 §6.1). */
  readonly session: string;
  readonly participants: readonly RecordedParticipant[];
  /** Of the association of all of them: Unix ms. */
  readonly at: number;
  /** True in the last one: the call is over. */
  readonly over?: boolean;
}

export interface RecordedParticipant {
  readonly id: string;
  /** `sip:alice@example.test` */
  readonly aor: string;
  /** What it says: identifier and `a=label` of the stream. */
  readonly stream: { readonly id: string; readonly label: string };
}

/**
 * The metadata as XML, a complete snapshot (RFC 7865 §5.1).
 *
 * Whatever comes from outside is escaped; characters that XML 1.0 does not have become a question mark.
 */
export function writeMetadata({ session, participants, at, over }: RecordingMetadata): string {
  const time = new Date(at).toISOString();
  const associate = `<associate-time>${time}</associate-time>${over === true ? `<disassociate-time>${time}</disassociate-time>` : ''}`;
  const id = (name: string, value: string): string => ` ${name}="${escapeXml(value)}"`;
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<recording xmlns="urn:ietf:params:xml:ns:recording:1">',
    '<datamode>complete</datamode>',
    `<session${id('session_id', session)}><start-time>${time}</start-time></session>`,
    ...participants.map(
      (one) =>
        `<participant${id('participant_id', one.id)}><nameID${id('aor', one.aor)}></nameID></participant>`,
    ),
    ...participants.map(
      ({ stream }) =>
        `<stream${id('stream_id', stream.id)}${id('session_id', session)}><label>${escapeXml(stream.label)}</label></stream>`,
    ),
    `<sessionrecordingassoc${id('session_id', session)}>${associate}</sessionrecordingassoc>`,
    ...participants.map(
      (one) =>
        `<participantsessionassoc${id('participant_id', one.id)}${id('session_id', session)}>${associate}</participantsessionassoc>`,
    ),
    ...participants.map((one) => {
      const heard = participants.filter((other) => other !== one);
      const received = heard.map(({ stream }) => `<recv>${escapeXml(stream.id)}</recv>`).join('');
      return `<participantstreamassoc${id('participant_id', one.id)}><send>${escapeXml(one.stream.id)}</send>${received}</participantstreamassoc>`;
    }),
    '</recording>',
    '',
  ];
  return lines.join('\r\n');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

export const escapeXml = (text: string): string =>
  text
    .toWellFormed()
    // XML 1.0 §2.2: everything else below a space, and two code points above, are no characters at all.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not pass
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '?')
    .replace(/[&<>"']/g, (character) => entities[character] ?? '');
