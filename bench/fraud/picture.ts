/** A curve or a staircase, in data units. */
export interface Series {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Where the shipped setting lies. */
  readonly mark?: readonly [x: number, y: number];
}

const width = 640;
const height = 400;
const left = 62;
const bottom = 350;
const top = 40;
const right = 620;

const px = (value: number): string => value.toFixed(1);
const written = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** An SVG picture with a logarithmic axis of x from `least` to `most` and y from 0 to 1. */
export function curves(
  title: string,
  xTitle: string,
  yTitle: string,
  [least, most]: readonly [number, number],
  series: readonly Series[],
  ticks: readonly (readonly [number, string])[],
): string {
  const x = (value: number): number => {
    const share = Math.log(Math.max(least, Math.min(most, value)) / least) / Math.log(most / least);
    return left + share * (right - left);
  };
  const y = (value: number): number => bottom - value * (bottom - top);
  const lines = [0, 0.25, 0.5, 0.75, 1].map(
    (value) =>
      `<line x1="${left}" y1="${px(y(value))}" x2="${right}" y2="${px(y(value))}" stroke="#ddd"/><text x="${left - 8}" y="${px(y(value) + 4)}" text-anchor="end">${value * 100} %</text>`,
  );
  const columns = ticks.map(
    ([value, text]) =>
      `<line x1="${px(x(value))}" y1="${top}" x2="${px(x(value))}" y2="${bottom}" stroke="#eee"/><text x="${px(x(value))}" y="${bottom + 16}" text-anchor="middle">${written(text)}</text>`,
  );
  const drawn = series.map(({ name, colour, points, mark }, i) => {
    const path = points.map(([a, b]) => `${px(x(a))},${px(y(b))}`).join(' ');
    const dot =
      mark === undefined
        ? ''
        : `<circle cx="${px(x(mark[0]))}" cy="${px(y(mark[1]))}" r="5" fill="${colour}"/>`;
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dot}<rect x="${left + 300}" y="${bottom - 22 - i * 18}" width="12" height="3" fill="${colour}"/><text x="${left + 318}" y="${bottom - 17 - i * 18}">${written(name)}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>${written(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="${left}" y="22" font-size="15">${written(title)}</text>`,
    ...columns,
    ...lines,
    ...drawn,
    `<text x="${(left + right) / 2}" y="${height - 10}" text-anchor="middle">${written(xTitle)}</text>`,
    `<text x="14" y="${(top + bottom) / 2}" text-anchor="middle" transform="rotate(-90 14 ${(top + bottom) / 2})">${written(yTitle)}</text>`,
    '</svg>\n',
  ].join('\n');
}
