import type { Risk } from '../call-facts.ts';

/** A destination of simulated calls. Prices a minute are invented, of the order that wholesale sheets have. */
export interface Place {
  readonly country: string;
  readonly prefix: string;
  readonly risk: Risk;
  readonly rate: number;
  /** How often usual traffic goes there. */
  readonly weight: number;
  /** Digits after the prefix. */
  readonly length: number;
}

const at = (
  country: string,
  prefix: string,
  risk: Risk,
  rate: number,
  weight: number,
  length = 7,
): Place => ({
  country,
  prefix,
  risk,
  rate,
  weight,
  length,
});

export const ordinary: readonly Place[] = [
  at('US', '1', 'ordinary', 0.01, 30, 10),
  at('GB', '4420', 'ordinary', 0.01, 30, 8),
  at('GB', '447', 'ordinary', 0.03, 12, 9),
  at('FR', '331', 'ordinary', 0.01, 30, 8),
  at('FR', '336', 'ordinary', 0.04, 12, 8),
  at('IT', '3902', 'ordinary', 0.01, 20, 7),
  at('IT', '393', 'ordinary', 0.05, 9, 9),
  at('ES', '349', 'ordinary', 0.01, 20, 8),
  at('PL', '4822', 'ordinary', 0.02, 20, 7),
  at('PL', '485', 'ordinary', 0.05, 8, 8),
  at('AT', '431', 'ordinary', 0.02, 25, 7),
  at('CH', '4144', 'ordinary', 0.03, 20, 7),
  at('CH', '4179', 'ordinary', 0.09, 8, 7),
  at('NL', '3120', 'ordinary', 0.01, 18, 7),
  at('CZ', '4202', 'ordinary', 0.02, 12, 8),
  at('SE', '468', 'ordinary', 0.01, 8, 7),
  at('IN', '9180', 'ordinary', 0.02, 12, 8),
  at('CN', '8621', 'ordinary', 0.02, 12, 8),
  at('BR', '5511', 'ordinary', 0.03, 5, 8),
  at('TR', '90212', 'ordinary', 0.06, 8, 7),
];
export const raised: readonly Place[] = [
  at('UA', '38044', 'raised', 0.2, 6),
  at('RO', '407', 'raised', 0.13, 6, 8),
  at('RS', '3816', 'raised', 0.3, 4, 8),
  at('BA', '3876', 'raised', 0.32, 3, 7),
  at('MA', '2126', 'raised', 0.4, 5, 8),
  at('TN', '2169', 'raised', 0.45, 4),
  at('EG', '2010', 'raised', 0.14, 4, 8),
  at('AE', '97150', 'raised', 0.2, 4),
  at('LB', '9613', 'raised', 0.2, 2, 6),
  at('PK', '923', 'raised', 0.12, 3, 9),
  at('PH', '639', 'raised', 0.16, 3, 9),
  at('LV', '3712', 'raised', 0.25, 1),
  at('LT', '3706', 'raised', 0.22, 1),
  at('BY', '37529', 'raised', 0.4, 1),
  at('GE', '9955', 'raised', 0.25, 1, 8),
];
export const high: readonly Place[] = [
  at('CU', '535', 'high', 0.75, 2),
  at('SO', '25261', 'high', 0.7, 1),
  at('GM', '2207', 'high', 0.6, 1, 6),
  at('SL', '23276', 'high', 0.6, 1, 6),
  at('GN', '22462', 'high', 0.55, 1),
  at('MV', '96077', 'high', 0.9, 1, 5),
  at('PG', '6757', 'high', 0.7, 0.5),
  at('TL', '67077', 'high', 0.6, 0.3, 6),
  at('FK', '5005', 'high', 1.5, 0.1, 4),
  at('NR', '67455', 'high', 1.3, 0.1, 5),
  at('ST', '2399', 'high', 1.4, 0.1, 6),
  at('ZW', '26377', 'high', 0.5, 1),
];
export const premium: readonly Place[] = [
  at('', '88213', 'premium', 4.5, 0.3, 8),
  at('', '88216', 'premium', 3.2, 0.5, 8),
  at('', '8835', 'premium', 2.5, 0.1, 9),
  at('DE', '49900', 'premium', 1.99, 4),
  at('GB', '44909', 'premium', 1.5, 1, 7),
  at('', '979', 'premium', 2, 0.1, 9),
];
/** Mobile numbers at home are worth judging where they cost more than the shipped limit. */
export const homeMobile = at('DE', '4917', 'home', 0.06, 1, 8);
export const homeFixed = at('DE', '4930', 'home', 0.01, 1, 7);
