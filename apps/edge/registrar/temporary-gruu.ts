import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { quoteText } from '@ringfence/sip/message/quoted.ts';
import type { SipUri, Uri } from '@ringfence/sip/message/types.ts';
import { serializeUri, sipUri } from '@ringfence/sip/message/uri.ts';
import type { Binding } from '../store/contract.ts';
import { instanceOf } from './outbound.ts';

const prefix = 'tgruu.';
const nonceLength = 12;
const tagLength = 16;
/** A user part that is longer is none of ours, and is not even looked at. */
const longest = 256;
/** User names are filled up to a multiple of this, so that their length says little. */
const block = 16;

type Named = Pick<Binding, 'domain' | 'user' | 'key' | 'callId'>;

/**
 * Temporary GRUUs, RFC 5627 §3.1.2: addresses of one phone that say nothing of its user, a new one with each REGISTER.
 *
 * Nothing is kept for them: user, phone and registration stand in the address itself, sealed with AES-256-GCM. They hold
 * as long as the phone stays registered under the same Call-ID (§5.1), also after a restart with the same key.
 */
export class TemporaryGruus {
  readonly #key: Uint8Array;

  /** @param secret 32 octets or more; the key is derived from it. */
  constructor(secret: Uint8Array) {
    this.#key = createHmac('sha256', secret).update('temporary GRUU').digest();
  }

  /** Contact parameter with a new address of that phone; empty for bindings without an instance. */
  parameter(binding: Named): string {
    const uri = this.make(binding);
    return uri === undefined ? '' : `;temp-gruu=${quoteText(serializeUri(uri))}`;
  }

  make({ domain, user, key, callId }: Named): SipUri | undefined {
    const instance = instanceOf(key);
    if (instance === undefined) return undefined;
    const nonce = randomBytes(nonceLength);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce);
    cipher.setAAD(Buffer.from(domain.toLowerCase(), 'utf8'));
    const name = Buffer.from(user, 'utf8');
    const filled = Buffer.alloc(Math.ceil((name.length + 1) / block) * block);
    name.copy(filled);
    const sealed = [
      cipher.update(shortHash(instance)),
      cipher.update(shortHash(callId)),
      cipher.update(filled),
    ];
    const bytes = Buffer.concat([nonce, ...sealed, cipher.final(), cipher.getAuthTag()]);
    return sipUri({
      user: `${prefix}${bytes.toString('base64url')}`,
      host: domain,
      params: new Map([['gr', true]]),
    });
  }

  /** What stands in an address that was made for this domain; undefined for all others. */
  read(uri: Uri, domain: string): { readonly user: string; fits(binding: Named): boolean } | undefined {
    if (!('user' in uri) || uri.user?.startsWith(prefix) !== true || uri.user.length > longest)
      return undefined;
    const bytes = Buffer.from(uri.user.slice(prefix.length), 'base64url');
    if (bytes.length < nonceLength + 2 * hashLength + block + tagLength) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, nonceLength), {
      authTagLength: tagLength,
    });
    decipher.setAAD(Buffer.from(domain.toLowerCase(), 'utf8'));
    decipher.setAuthTag(bytes.subarray(bytes.length - tagLength));
    const opened = decipher.update(bytes.subarray(nonceLength, bytes.length - tagLength));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    const name = opened.subarray(2 * hashLength);
    return {
      user: name.subarray(0, name.indexOf(0)).toString('utf8'),
      fits: ({ key, callId }) =>
        shortHash(instanceOf(key) ?? '').equals(opened.subarray(0, hashLength)) &&
        shortHash(callId).equals(opened.subarray(hashLength, 2 * hashLength)),
    };
  }
}

const hashLength = 8;
/** Tells one registration from another; what is sealed needs no more. */
const shortHash = (text: string): Buffer =>
  createHash('sha256').update(text).digest().subarray(0, hashLength);
