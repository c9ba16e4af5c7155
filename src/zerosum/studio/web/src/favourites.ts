// Favourites: wishes that can be drawn again, kept in this browser under the run's id.
import type { Wish } from './pictures';

const key = (id: string) => `zerosum-favourites-${id}`;

export function kept(id: string): Wish[] {
  try {
    const found = JSON.parse(localStorage.getItem(key(id)) ?? '[]');
    return Array.isArray(found) ? found.filter(isWish) : [];
  } catch {
    return [];
  }
}

export function keep(id: string, wishes: Wish[]): void {
  try {
    localStorage.setItem(key(id), JSON.stringify(wishes));
  } catch {
    // a browser that keeps nothing: they last as long as the page
  }
}

export const same = (a: Wish, b: Wish): boolean =>
  a.seed === b.seed && a.truncation === b.truncation && JSON.stringify(a.labels) === JSON.stringify(b.labels);

const isWish = (wish: Wish): boolean =>
  Number.isInteger(wish?.seed) && typeof wish.truncation === 'number' && typeof wish.labels === 'object';
