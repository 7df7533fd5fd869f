import { err, ok, type Result } from '@ringfence/bytes/result.ts';

/** Packets that are read of one file: 20 ms each is ten minutes. */
export const mostPackets = 30_000;
const mostPacket = 65_536;

/** An Ogg Opus file: what is in it, not yet decoded (RFC 7845). */
export interface OpusFile {
  readonly channels: number;
  /** Samples at 48 kHz to leave out at the beginning, §4.2. */
  readonly preSkip: number;
  readonly packets: readonly Uint8Array[];
}

/** Reads the first logical stream of an Ogg file (RFC 3533 §6), which has to be Opus of one or two channels. */
export function readOggOpus(file: Uint8Array): Result<OpusFile, string> {
  const packets = packetsOf(file);
  if (!packets.ok) return packets;
  const [head, tags, ...sound] = packets.value;
  if (head === undefined || text(head, 0, 8) !== 'OpusHead' || head.length < 19) return err('no Opus in it');
  if (tags === undefined || text(tags, 0, 8) !== 'OpusTags') return err('its Opus header is cut off');
  const channels = head[9] ?? 0;
  if ((head[8] ?? 0) >> 4 !== 0 || channels < 1 || channels > 2 || head[18] !== 0)
    return err('Opus of one or two channels can be read');
  return ok({ channels, preSkip: (head[10] ?? 0) | ((head[11] ?? 0) << 8), packets: sound });
}

function packetsOf(file: Uint8Array): Result<Uint8Array[], string> {
  const packets: Uint8Array[] = [];
  let pending: Uint8Array[] = [];
  let serial: string | undefined;
  for (let at = 0; at < file.length; ) {
    if (text(file, at, 4) !== 'OggS' || at + 27 > file.length)
      return at === 0 ? err('no Ogg file') : err('it is damaged');
    const segments = file[at + 26] ?? 0;
    const table = file.subarray(at + 27, at + 27 + segments);
    let body = at + 27 + segments;
    const end = body + table.reduce((sum, length) => sum + length, 0);
    if (table.length < segments || end > file.length) return err('it is cut off');
    const stream = text(file, at + 14, 4);
    serial ??= stream;
    if (stream === serial) {
      // A packet that began on a page that is missing is left out.
      if (((file[at + 5] ?? 0) & 1) === 0) pending = [];
      for (const length of table) {
        pending.push(file.subarray(body, body + length));
        body += length;
        if (length === 255) continue;
        if (packets.length >= mostPackets) return err(`more than ${mostPackets} packets`);
        const packet = Buffer.concat(pending);
        pending = [];
        if (packet.length > mostPacket) return err('a packet that is too large');
        packets.push(packet);
      }
    }
    at = end;
  }
  return ok(packets);
}

const text = (bytes: Uint8Array, at: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(at, at + length));
