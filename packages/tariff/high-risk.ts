/**
 * Countries that calls are closed to on the first day, by ISO 3166 code.
 *
 * No open list of the ranges that revenue-share fraud uses exists. This one is an opinion, and holds whole countries:
 * small numbering plans whose termination prices are far above those of their neighbours, which is what the fraud
 * lives on, and to which a usual office makes no calls. Countries with large diasporas and those of the European Union
 * are left out although fraud ends there too: the caps hold them. Premium, shared-cost and satellite numbers are no
 * matter of this list; they come from the public numbering plans.
 */
export const highRiskCountries: ReadonlySet<string> = new Set([
  // Islands of the Atlantic and Indian Ocean.
  ...['AC', 'SH', 'TA', 'FK', 'PM', 'ST', 'SC', 'KM', 'MV', 'IO'],
  // Pacific.
  ...[
    'NR',
    'PW',
    'WF',
    'CK',
    'NU',
    'WS',
    'KI',
    'NC',
    'TV',
    'PF',
    'TK',
    'FM',
    'MH',
    'SB',
    'VU',
    'TO',
    'TL',
    'NF',
    'PG',
  ],
  // Africa.
  ...['GW', 'GN', 'SL', 'LR', 'GM', 'SO', 'DJ', 'BI', 'TD', 'CF', 'GQ', 'ER', 'ZW', 'EH'],
  // Caribbean and South America, some of them dialled like numbers of the United States.
  ...['CU', 'AG', 'AI', 'DM', 'GD', 'KN', 'LC', 'MS', 'TC', 'VC', 'VG', 'SX', 'GY', 'SR'],
  // Europe and Asia.
  ...['SM', 'KP', 'PS'],
]);
