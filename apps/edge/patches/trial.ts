import { parseMessage } from '@ringfence/sip/message/parse.ts';
import { compile, type Seen } from './match.ts';
import type { Patch, PatchSet } from './schema.ts';

const longestExample = 16_384;

/**
 * The octets of an example: lines end with CRLF, `\xHH` is an octet, `{{A*300}}` is 300 times A, and Content-Length is
 * added where there is none.
 */
export function exampleBytes(text: string): Uint8Array {
  const blank = text.indexOf('\n\n');
  const head = (blank === -1 ? text : text.slice(0, blank)).trimEnd();
  const body = blank === -1 ? '' : text.slice(blank + 2);
  const wire = (part: string): string =>
    unfold(part)
      .split('\n')
      .join('\r\n')
      .replaceAll(/\\x([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  const bodyText = wire(body);
  const length = /^content-length/im.test(head) ? '' : `\r\nContent-Length: ${bodyText.length}`;
  return Buffer.from(`${wire(head)}${length}\r\n\r\n${bodyText}`, 'latin1').subarray(0, longestExample);
}

function unfold(text: string): string {
  let out = text;
  for (let open = out.indexOf('{{'); open !== -1; open = out.indexOf('{{')) {
    const close = out.indexOf('}}', open);
    const star = out.lastIndexOf('*', close);
    if (close === -1 || star < open) return out;
    const times = Math.min(Number(out.slice(star + 1, close)) || 0, 2_000);
    out = `${out.slice(0, open)}${out.slice(open + 2, star).repeat(times)}${out.slice(close + 2)}`.slice(
      0,
      longestExample,
    );
  }
  return out;
}

export interface Trial {
  readonly patch: Patch;
  /** Empty where its example is blocked and its counter-example passes. */
  readonly problems: readonly string[];
}

const seenOf = (text: string): Seen => {
  const bytes = exampleBytes(text);
  const parsed = parseMessage(bytes);
  return { bytes, request: parsed.ok && parsed.value.kind === 'request' ? parsed.value : undefined };
};

const hits = (patch: Patch, seen: Seen): boolean =>
  (seen.request === undefined ||
    patch.methods.includes('*') ||
    patch.methods.includes(seen.request.method)) &&
  patch.when.every((condition) => compile(condition)(seen));

/** Holds every patch against its own example, and every patch against all counter-examples. */
export function tryPatches(set: PatchSet): Trial[] {
  const passing = set.patches.map(({ counterExample }) => seenOf(counterExample));
  return set.patches.map((patch, i) => {
    const problems: string[] = [];
    if (!hits(patch, seenOf(patch.example))) problems.push('its example passes');
    const own = passing[i];
    if (own?.request === undefined) problems.push('its counter-example is no SIP request');
    else if (hits(patch, own)) problems.push('its counter-example is blocked');
    if (patch.harmless)
      for (const [j, seen] of passing.entries())
        if (j !== i && hits(patch, seen))
          problems.push(`blocks the counter-example of ${set.patches[j]?.id}`);
    return { patch, problems };
  });
}
