// Where things lie in a chart: scales, ticks, paths.

export interface Series { name: string; colour: string; low: (number | null)[]; mean: (number | null)[]; high: (number | null)[] }
export interface Level { name: string; value: number }
export type Scale = (value: number) => number;

/** From numbers to pixels; by their logarithm where `log`. */
export function scale(from: [number, number], to: [number, number], log = false): Scale {
  const turn = log ? Math.log : (x: number) => x;
  const [a, b] = [turn(from[0]), turn(from[1])];
  const span = b - a || 1;
  return (value) => to[0] + ((turn(log ? Math.max(value, Number.MIN_VALUE) : value) - a) / span) * (to[1] - to[0]);
}

/** The least and the greatest of what is shown, with a little air. */
export function range(values: number[], log: boolean): [number, number] {
  if (!values.length) return [0, 1];
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (log) return [low / 1.15, high * 1.15];
  const air = (high - low || Math.abs(high) || 1) * 0.06;
  return [low >= 0 && low < 0.35 * high ? 0 : low - air, high + air];
}

/** Round numbers within a range, about so many; of a logarithmic one 1, 2 or 5 times powers of ten. */
export function ticks([low, high]: [number, number], about: number, log = false): number[] {
  if (log) {
    const all: number[] = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
      for (const lead of [1, 2, 5]) all.push(lead * 10 ** power);
    const inside = all.filter((tick) => tick >= low && tick <= high);
    const tens = inside.filter((tick) => Math.abs(Math.log10(tick) % 1) < 1e-9);
    return inside.length > 2 * about && tens.length > 1 ? tens : inside;
  }
  const rough = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((lead) => lead * power >= rough) ?? 10);
  const found: number[] = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high * (1 + 1e-9); n++) found.push(n * step);
  return found;
}

/** A line through what is known: what is measured now and then is joined. */
export function line(xs: number[], ys: (number | null)[], x: Scale, y: Scale): string {
  const points = ys.flatMap((value, i) => (value === null ? [] : [`${x(xs[i]!).toFixed(1)} ${y(value).toFixed(1)}`]));
  return points.length ? `M${points.join('L')}` : '';
}

/** The number at a place, or the newest before it; undefined where none is. */
export const newest = (values: (number | null)[], place: number): number | undefined =>
  values.slice(0, place + 1).findLast((value) => value !== null) ?? undefined;

/** The surface between two rows of numbers. */
export function band(xs: number[], lows: (number | null)[], highs: (number | null)[], x: Scale, y: Scale): string {
  const known = xs.map((_, i) => i).filter((i) => lows[i] != null && highs[i] != null);
  if (known.length < 2) return '';
  const point = (i: number, value: number) => `${x(xs[i]!).toFixed(1)} ${y(value).toFixed(1)}`;
  const there = known.map((i) => point(i, highs[i]!));
  const back = known.toReversed().map((i) => point(i, lows[i]!));
  return `M${[...there, ...back].join('L')}Z`;
}
