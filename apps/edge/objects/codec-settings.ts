import { Type } from '@sinclair/typebox';

/** `codecs` of devices and trunks. */
export const Codecs = Type.Array(
  Type.String({ minLength: 1, maxLength: 32, pattern: '^[A-Za-z0-9][A-Za-z0-9._+-]*$' }),
  {
    minItems: 1,
    maxItems: 32,
    description:
      'Audio codecs that pass on this side, most wanted first, by their names in SDP: `[opus, G722, PCMA]`. Case does not count; telephone-event always passes. Absent: all, in the order of the other side. Emergency calls pass as they are.',
  },
);

/** As media compares them. */
export const codecList = (codecs: readonly string[] | undefined): readonly string[] | undefined =>
  codecs?.map((name) => name.toLowerCase());
