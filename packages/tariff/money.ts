/** Money is a whole number of millionths of its currency; no fraction is ever computed with. */
export const unit = 1_000_000;
/** More than this nobody pays for one call or in one month: 1,000 million. */
export const mostMoney = 1_000_000_000 * unit;

/**
 * Reads `40`, `0.015`, `1,25` as millionths; undefined where it is no plain decimal of at most six places, or more than
 * `mostMoney`. Signs are none: nobody is paid for calling.
 */
export function parseMoney(text: string): number | undefined {
  let whole = '';
  let places = '';
  let point = false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c >= 0x30 && c <= 0x39) {
      if (point) places += text[i];
      else whole += text[i];
    } else if ((c === 0x2e || c === 0x2c) && !point) point = true;
    else return undefined;
  }
  while (places.length > 6 && places.endsWith('0')) places = places.slice(0, -1);
  if ((whole === '' && places === '') || whole.length > 12 || places.length > 6) return undefined;
  const value = Number(whole) * unit + Number(places.padEnd(6, '0'));
  return value <= mostMoney ? value : undefined;
}

/** `12.30`, or with as many of six places as it needs: `0.0153`. */
export function moneyText(millionths: number): string {
  const sign = millionths < 0 ? '-' : '';
  const amount = Math.abs(millionths);
  const places = String(amount % unit).padStart(6, '0');
  let end = 6;
  while (end > 2 && places[end - 1] === '0') end -= 1;
  return `${sign}${Math.floor(amount / unit)}.${places.slice(0, end)}`;
}

/** With its currency, to cents: `2.10 EUR`; what is less than a cent is shown whole. */
export const priceText = (millionths: number, currency: string): string =>
  `${millionths >= 10_000 || millionths <= 0 ? moneyText(Math.floor(millionths / 10_000) * 10_000) : moneyText(millionths)} ${currency}`;
