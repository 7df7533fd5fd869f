import { type CountryCode, parsePhoneNumberFromString } from 'libphonenumber-js/min';

const remembered = 4096;

/** A number is digits with an optional leading +; visual separators (RFC 3966 §5.1.1) and `*`, `#` may stand in it. */
export function digitsOf(dialled: string): string | undefined {
  let digits = '';
  for (let i = 0; i < dialled.length; i += 1) {
    const c = dialled.charCodeAt(i);
    if ((c >= 0x30 && c <= 0x39) || c === 0x2a || c === 0x23) digits += dialled[i];
    else if (c === 0x2b) {
      if (i !== 0) return undefined;
      digits += '+';
    } else if (c !== 0x2d && c !== 0x2e && c !== 0x28 && c !== 0x29 && c !== 0x20) return undefined;
  }
  return digits.length === 0 || digits === '+' || digits.length > 32 ? undefined : digits;
}

/** Turns dialled numbers into E.164 by the dialling rules of one country; remembers the last few thousand. */
export class Numbers {
  readonly #country: CountryCode;
  readonly #emergency: ReadonlySet<string>;
  #memory = new Map<string, string | undefined>();

  constructor(country: string, emergency: readonly string[]) {
    this.#country = country.toUpperCase() as CountryCode;
    this.#emergency = new Set(emergency);
  }

  isEmergency(digits: string): boolean {
    return this.#emergency.has(digits);
  }

  /** `+` and digits, or undefined where the number is not one that the country's rules can place. */
  e164(digits: string): string | undefined {
    if (this.#memory.has(digits)) return this.#memory.get(digits);
    const parsed = parsePhoneNumberFromString(digits, this.#country);
    const number = parsed?.isPossible() === true ? parsed.number : undefined;
    if (this.#memory.size >= remembered) this.#memory = new Map();
    this.#memory.set(digits, number);
    return number;
  }
}
