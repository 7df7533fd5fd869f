import { clock, type Ladder } from './ladder.ts';
import { plainText } from './plain-text.ts';

const gap = 48;
const margin = 14;

/** The ladder in letters: a line for each message, a column for each party. */
export function ladderText(ladder: Ladder): string {
  const { parties, arrows, callIds, left } = ladder;
  if (arrows.length === 0) return 'No message of it was kept.\n';
  const width = margin + gap * (parties.length - 1) + 1;
  const at = (party: number): number => margin + gap * party;
  const lines = [`Times are UTC, ${new Date(arrows[0]!.time).toISOString().slice(0, 10)}.`, ''];
  parties.forEach(({ name }, i) => {
    const bars = lifelines(width, parties.length, at, i).trimEnd();
    lines.push(`${bars.padEnd(at(i))}${name}`);
  });
  lines.push(lifelines(width, parties.length, at));
  for (const { time, from, to, label, dialog, transport } of arrows) {
    const cells = [...lifelines(width, parties.length, at)];
    const [low, high] = from < to ? [from, to] : [to, from];
    for (let i = at(low) + 1; i < at(high); i += 1) cells[i] = '-';
    if (from < to) cells[at(high) - 1] = '>';
    else cells[at(low) + 1] = '<';
    const room = at(high) - at(low) - 5;
    const text = [...` ${plainText(label, room - 3)} `];
    const start = at(low) + 1 + Math.max(1, Math.floor((at(high) - at(low) - 1 - text.length) / 2));
    text.forEach((character, i) => {
      cells[start + i] = character;
    });
    [...clock(time)].forEach((character, i) => {
      cells[i] = character;
    });
    lines.push(`${cells.join('')}  ${transport}${dialog === 0 ? '' : ` (${dialog})`}`);
  }
  if (left > 0) lines.push('', `${left} more messages are in the capture.`);
  if (callIds.length > 0) {
    lines.push('', 'Call-ID');
    callIds.slice(0, 100).forEach((id, i) => {
      lines.push(`(${i + 1}) ${id}`);
    });
    if (callIds.length > 100) lines.push(`and ${callIds.length - 100} more`);
  }
  return `${lines.join('\n')}\n`;
}

function lifelines(
  width: number,
  count: number,
  at: (party: number) => number,
  upTo: number = count,
): string {
  const cells = Array<string>(width).fill(' ');
  for (let i = 0; i < Math.min(count, upTo); i += 1) cells[at(i)] = '|';
  return cells.join('');
}
