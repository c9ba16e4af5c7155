// The socket for live pictures. What is urgent (the big picture) goes first, and only the latest of it counts; what
// waits in the background (the small ones) is asked for one at a time.

export interface Wish { seed: number; truncation: number; labels: Record<string, string> }
export interface Picture extends Wish { url: string; blob: Blob; model: string }
export interface About {
  game: string;
  data: string;
  images: number;
  width: number;
  height: number;
  truncates: boolean;
  labels: Record<string, string[]>;
  model: string;
}

/** Thrown at who asked for a picture that a later wish has made needless. */
export class Passed extends Error {}

interface Task { wish: Wish; urgent: boolean; done: (picture: Picture) => void; failed: (error: Error) => void }

/** Six digits can be read out and remembered. */
export const anySeed = (): number => crypto.getRandomValues(new Uint32Array(1))[0]! % 1_000_000;

export class Pictures {
  private socket: WebSocket | undefined;
  private sent = new Map<number, Task>();
  private queue: Task[] = [];
  private number = 0;
  private tries = 0;
  private closed = false;

  constructor(
    private readonly id: string,
    private readonly onAbout: (about: About) => void,
    private readonly onFault: (says: string) => void,
  ) {
    this.connect();
  }

  /** Draws one picture. Urgent ones pass by all that wait, and by an urgent one before them. */
  draw(wish: Wish, urgent: boolean): Promise<Picture> {
    return new Promise((done, failed) => {
      const task = { wish: { ...wish, labels: { ...wish.labels } }, urgent, done, failed };
      if (urgent) {
        this.queue.filter((other) => other.urgent).forEach((other) => other.failed(new Passed()));
        this.queue = [task, ...this.queue.filter((other) => !other.urgent)];
      } else {
        this.queue.push(task);
      }
      this.proceed();
    });
  }

  /** Forgets what waits in the background. */
  forget(): void {
    this.queue.forEach((task) => task.failed(new Passed()));
    this.queue = [];
  }

  close(): void {
    this.closed = true;
    this.forget();
    this.socket?.close();
  }

  private connect(): void {
    const socket = new WebSocket(`ws://${location.host}/api/pictures/${this.id}`);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.tries = 0;
      this.proceed();
    };
    socket.onmessage = ({ data }) => (typeof data === 'string' ? this.heard(JSON.parse(data)) : this.received(data));
    socket.onclose = () => this.lost();
    this.socket = socket;
  }

  private lost(): void {
    this.queue.unshift(...this.sent.values());
    this.sent.clear();
    if (this.closed) return;
    if (++this.tries > 1) this.onFault('The studio does not answer. Has it been ended in its terminal?');
    setTimeout(() => !this.closed && this.connect(), Math.min(8000, 250 * 2 ** this.tries));
  }

  private proceed(): void {
    const next = this.queue[0];
    if (this.socket?.readyState !== WebSocket.OPEN || !next) return;
    if (!next.urgent && this.sent.size) return;
    this.queue.shift();
    this.sent.set(++this.number, next);
    this.socket.send(JSON.stringify({ ask: this.number, ...next.wish }));
  }

  private heard(message: { about?: About; error?: string; ask?: number; passed?: boolean }): void {
    if (message.about) this.onAbout(message.about);
    const task = message.ask === undefined ? undefined : this.take(message.ask);
    if (message.error && task) task.failed(new Error(message.error));
    else if (message.error) this.onFault(message.error);
    else if (task?.urgent) task.failed(new Passed());
    else if (task) this.queue.push(task);
    this.proceed();
  }

  private received(frame: ArrayBuffer): void {
    const view = new DataView(frame);
    const length = view.getUint32(0);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(frame, 8, length)));
    const task = this.take(header.ask);
    if (task && header.error) task.failed(new Error(header.error));
    else if (task) {
      const blob = new Blob([new Uint8Array(frame, 8 + length)], { type: 'image/png' });
      task.done({ ...task.wish, model: header.model, blob, url: URL.createObjectURL(blob) });
    }
    this.proceed();
  }

  private take(ask: number): Task | undefined {
    const task = this.sent.get(ask);
    this.sent.delete(ask);
    return task;
  }
}
