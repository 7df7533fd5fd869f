import { findAttribute } from './attribute.ts';
import type { MediaDescription, SessionDescription } from './session.ts';
import { isToken } from './token.ts';

const longestMid = 64;
const mostMembers = 32;

/** `a=mid`, RFC 5888 §4; undefined where there is none that could be said again. */
export function midOf(media: Pick<MediaDescription, 'attributes'>): string | undefined {
  const value = findAttribute(media, 'mid')?.value?.trim();
  return value !== undefined && value.length <= longestMid && isToken(value) ? value : undefined;
}

/** The streams that want to share one transport: members of the first `a=group:BUNDLE` (RFC 9143 §7.2). */
export function bundleOf(session: SessionDescription): ReadonlySet<string> {
  for (const { name, value } of session.attributes) {
    if (name !== 'group' || value === undefined) continue;
    const [semantics, ...mids] = value.trim().split(' ', mostMembers + 1);
    if (semantics === 'BUNDLE') return new Set(mids);
  }
  return none;
}

const none: ReadonlySet<string> = new Set();
