import { type Arrow, clock, type Ladder } from './ladder.ts';
import { escapeXml, plainText } from './plain-text.ts';

const gap = 310;
const margin = 180;
const top = 84;
const row = 30;
const colours: Readonly<Record<Arrow['kind'], string>> = {
  request: '#1f3a5f',
  provisional: '#6b7280',
  success: '#1b7f4b',
  failure: '#b3261e',
};

/**
 * The ladder as a picture: SVG 1.1 without scripts, styles, links or anything fetched from elsewhere, so that it can be
 * opened wherever it came from. Whatever peers wrote stands in it as text alone.
 */
export function ladderSvg(ladder: Ladder, title: string): string {
  const { parties, arrows, callIds, left } = ladder;
  const x = (party: number): number => margin + gap * party;
  const y = (index: number): number => top + row * (index + 1);
  const legend = Math.min(callIds.length, 20);
  const bottom = y(arrows.length) + 10;
  const width = x(parties.length - 1) + 150;
  const height = bottom + 30 + 18 * (legend + (left > 0 ? 1 : 0));
  const out: string[] = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="12">`,
    `<title>${safe(title, 120)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(20, 28, safe(title, 120), 'font-size="16" fill="#111827"'),
  ];
  for (const [i, { name, isEdge }] of parties.entries()) {
    const fill = isEdge ? '#1f3a5f' : '#eef2f7';
    out.push(
      `<line x1="${x(i)}" y1="${top}" x2="${x(i)}" y2="${bottom}" stroke="#9ca3af" stroke-dasharray="3 3"/>`,
      `<rect x="${x(i) - 105}" y="${top - 34}" width="210" height="26" rx="4" fill="${fill}" stroke="#1f3a5f"/>`,
      text(
        x(i),
        top - 17,
        safe(name, 30),
        `text-anchor="middle" fill="${isEdge ? '#ffffff' : '#111827'}" font-weight="bold"`,
      ),
    );
  }
  arrows.forEach((arrow, i) => {
    const colour = colours[arrow.kind];
    const [from, to] = [x(arrow.from), x(arrow.to)];
    const head = to > from ? to - 9 : to + 9;
    const line = y(i);
    const label = `${arrow.label}${arrow.dialog === 0 ? '' : ` (${arrow.dialog})`}`;
    out.push(
      text(8, line + 4, clock(arrow.time), 'fill="#6b7280" font-size="11"'),
      `<line x1="${from}" y1="${line}" x2="${to}" y2="${line}" stroke="${colour}" stroke-width="1.5"/>`,
      `<polygon points="${to},${line} ${head},${line - 4} ${head},${line + 4}" fill="${colour}"/>`,
      text((from + to) / 2, line - 4, safe(label, room(from, to)), `text-anchor="middle" fill="${colour}"`),
    );
  });
  let below = bottom + 24;
  if (left > 0) {
    out.push(text(20, below, `${left} more messages are in the capture.`, 'fill="#6b7280"'));
    below += 18;
  }
  callIds.slice(0, legend).forEach((id, i) => {
    out.push(text(20, below + 18 * i, `(${i + 1}) Call-ID ${safe(id, 90)}`, 'fill="#6b7280"'));
  });
  out.push('</svg>');
  return `${out.join('\n')}\n`;
}

const safe = (value: string, most: number): string => escapeXml(plainText(value, most));

/** Letters of a label between two lines; some 7.5 units wide each. */
const room = (from: number, to: number): number => Math.max(8, Math.floor((Math.abs(to - from) - 24) / 7.5));

/** `value` is escaped by whoever calls. */
const text = (x: number, y: number, value: string, attributes: string): string =>
  `<text x="${x}" y="${y}" ${attributes}>${value}</text>`;
