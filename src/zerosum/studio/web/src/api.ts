// What the server is asked. Every fault arrives as one sentence, which is the error's message.

export type State = 'finished' | 'training' | 'stopped' | 'unreadable';

export interface Entry {
  id: string;
  folder: string;
  game: string;
  data: string;
  images: number;
  total: number;
  state: State;
  verdict: string;
  changed: number;
  newest: number | null;
  draws: boolean;
  process: number | null;
  says: string;
}

export interface Job { id: string; command: string; state: 'running' | 'refused'; says: string; pid: number }
export interface Found { folder: string; runs: Entry[]; jobs: Job[]; zoo: { id: string; name: string }[] }
export interface Finding { kind: string; severity: string; since: number; says: string; why: string; remedy: string }
export interface Details extends Entry {
  command: string;
  findings: Finding[];
  well: string;
  outlook: string;
  grids: number[];
  reals: boolean;
}
export interface Curve { low: (number | null)[]; mean: (number | null)[]; high: (number | null)[] }
export interface Score {
  name: string;
  title: string;
  limit_name: string;
  limit: number | null;
  gaussian: number | null;
  points: { images: number; value: number; low: number | null; high: number | null }[];
}
export interface Charts { log: { images: number[]; notes: Record<string, Curve> }; scores: Score[] }
export interface GameCard { name: string; title: string; when: string }
export interface StartWish { data: string; game: string; minutes: number; resolution: number | null; options: string }

export const get = <T>(path: string): Promise<T> => answered<T>(fetch(path));

export const post = <T>(path: string, body: unknown = {}): Promise<T> =>
  answered<T>(
    fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  );

async function answered<T>(asked: Promise<Response>): Promise<T> {
  const response = await asked.catch(() => {
    throw new Error('The studio does not answer. Has it been ended in its terminal?');
  });
  const record = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(record.error ?? `The studio answered with ${response.status}.`);
  return record as T;
}

/** Asks at once, and again every so many milliseconds while the page can be seen. Returns how to end it. */
export function poll(ask: () => Promise<void>, every: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;
  const round = async () => {
    if (!document.hidden) await ask();
    if (!ended) timer = setTimeout(round, every);
  };
  const seen = () => {
    if (document.hidden) return;
    clearTimeout(timer);
    void round();
  };
  document.addEventListener('visibilitychange', seen);
  void round();
  return () => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', seen);
  };
}
