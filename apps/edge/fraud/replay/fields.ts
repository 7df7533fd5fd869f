/** What a call record says, by the names that it goes by in the files of others. */
export const fields = {
  start: [
    'start',
    'start_time',
    'starttime',
    'start_stamp',
    'calldate',
    'setup_time',
    'time',
    'timestamp',
    'at',
    'started_at',
    'startedat',
  ],
  answer: ['answer', 'answer_time', 'answertime', 'answer_stamp', 'answered_at', 'answeredat'],
  end: ['end', 'end_time', 'endtime', 'end_stamp', 'ended_at', 'endedat'],
  seconds: ['seconds', 'billsec', 'duration', 'talk_time', 'duration_s', 'call_duration'],
  caller: [
    'caller',
    'caller_number',
    'src',
    'from',
    'calling',
    'callingnumber',
    'a_number',
    'anumber',
    'caller_id_number',
    'clid',
  ],
  called: [
    'called',
    'destination_number',
    'dst',
    'to',
    'callee',
    'callednumber',
    'b_number',
    'bnumber',
    'destination',
  ],
  account: ['account', 'accountcode', 'user', 'customer', 'username', 'principal', 'trunk'],
  domain: ['domain', 'tenant', 'realm'],
  direction: ['direction', 'dcontext'],
  rate: ['rate', 'rate_per_minute', 'price'],
  country: ['country', 'country_code'],
  prefix: ['prefix'],
  risk: ['risk', 'class'],
  forwarded: ['forwarded', 'diverted'],
  disposition: ['disposition', 'status', 'result'],
  fraud: ['fraud', 'label', 'toll_fraud', 'is_fraud'],
  id: ['id', 'uuid', 'uniqueid', 'call_id', 'callid'],
} as const;
export type Field = keyof typeof fields;

const byName: ReadonlyMap<string, Field> = new Map(
  Object.entries(fields).flatMap(([field, names]) => names.map((name) => [name, field as Field] as const)),
);

/** `Start Time`, `start-time` and `START_TIME` are one name. */
export const fieldOf = (name: string): Field | undefined =>
  byName.get(
    name
      .trim()
      .replace(/^\ufeff/, '')
      .toLowerCase()
      .replaceAll(' ', '_')
      .replaceAll('-', '_'),
  );

/** A record as it was read: what was there, by field. */
export type Fields = Partial<Record<Field, string>>;
