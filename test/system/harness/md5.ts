/** The old digest of RFC 2617, made by hand: what only a phone of before 2011 would send. */
import { createHash } from 'node:crypto';
import { password } from './bed.ts';
import { token } from './compose.ts';

const hash = (text: string): string => createHash('md5').update(text).digest('hex');

export function md5Authorization(challenge: string, username: string, method: string, uri: string): string {
  const realm = /realm="([^"]*)"/.exec(challenge)?.[1] ?? '';
  const nonce = /nonce="([^"]*)"/.exec(challenge)?.[1] ?? '';
  const cnonce = token();
  const ha1 = hash(`${username}:${realm}:${password}`);
  const response = hash(`${ha1}:${nonce}:00000001:${cnonce}:auth:${hash(`${method}:${uri}`)}`);
  return `Digest username="${username}", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="${cnonce}"`;
}
