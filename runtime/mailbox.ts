/**
 * An unbounded queue of messages with one reader.
 *
 * It has no bound because a full mailbox would have to block or drop, and both hide the real
 * fault, which is a sender without back-pressure (streams and watches have credit of their own).
 * The high-water mark shows it instead.
 */
export interface Mailbox<M> {
  readonly size: number;
  /** The most that ever waited at once. */
  readonly highWater: number;
  push(message: M): void;
  /** Back to the front, for the next incarnation to take first. */
  unshift(envelope: Envelope<M>): void;
  take(): Envelope<M> | undefined;
  /** Resolves when there may be something to take, or after `wake`. */
  wait(): Promise<void>;
  wake(): void;
  /** Empties it and says how many messages that dropped. */
  clear(): number;
}

export interface Envelope<M> {
  readonly message: M;
  /** How many incarnations died of it. */
  readonly crashes: number;
}

export function createMailbox<M>(): Mailbox<M> {
  /** Those before `head` were taken; they are cut off when they are the larger half. */
  let queue: (Envelope<M> | undefined)[] = [];
  let head = 0;
  let highWater = 0;
  let waiting: (() => void) | undefined;

  function wake(): void {
    const resume = waiting;
    waiting = undefined;
    resume?.();
  }

  return {
    get size() {
      return queue.length - head;
    },
    get highWater() {
      return highWater;
    },
    push(message) {
      queue.push({ message, crashes: 0 });
      highWater = Math.max(highWater, queue.length - head);
      wake();
    },
    unshift(envelope) {
      if (head > 0) queue[--head] = envelope;
      else queue.unshift(envelope);
      wake();
    },
    take() {
      const envelope = queue[head];
      if (envelope === undefined) return undefined;
      queue[head++] = undefined;
      if (head > 64 && head * 2 > queue.length) {
        queue = queue.slice(head);
        head = 0;
      }
      return envelope;
    },
    wait() {
      if (queue.length > head) return Promise.resolve();
      return new Promise((resolve) => {
        waiting = resolve;
      });
    },
    wake,
    clear() {
      const dropped = queue.length - head;
      queue = [];
      head = 0;
      return dropped;
    },
  };
}
