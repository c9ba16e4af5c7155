// Numbers and times as people read them.

export const count = (n: number): string => n.toLocaleString('en-GB');

/** Few digits, as many as tell something. */
export function short(x: number): string {
  const size = Math.abs(x);
  if (size >= 1000) return count(Math.round(x));
  if (size === 0 || size >= 100) return x.toFixed(0);
  return size < 0.001 ? x.toExponential(1) : String(Number(x.toPrecision(3)));
}

export function ago(seconds: number): string {
  const since = Date.now() / 1000 - seconds;
  if (since < 90) return 'just now';
  if (since < 90 * 60) return `${Math.round(since / 60)} min ago`;
  if (since < 36 * 3600) return `${Math.round(since / 3600)} h ago`;
  const days = Math.round(since / 86400);
  return days > 60 ? new Date(seconds * 1000).toLocaleDateString('en-GB') : `${days} days ago`;
}

export const said = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The note's or the label's name without underscores. */
export const plain = (name: string): string => name.replaceAll('_', ' ');
