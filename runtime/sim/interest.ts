/** Who listens to what: a trie of subscription patterns, as the server keeps one. */

export interface Interest<S> {
  add(pattern: string, subscriber: S): void;
  remove(pattern: string, subscriber: S): void;
  /** In order of subscription within each pattern. */
  match(subject: string): S[];
  readonly size: number;
}

interface Level<S> {
  readonly next: Map<string, Level<S>>;
  readonly here: Set<S>;
}

export function createInterest<S>(): Interest<S> {
  const root: Level<S> = { next: new Map(), here: new Set() };
  let size = 0;

  function collect(level: Level<S>, tokens: readonly string[], at: number, found: S[]): void {
    const token = tokens[at];
    if (token === undefined) {
      found.push(...level.here);
      return;
    }
    const rest = level.next.get(">");
    if (rest) found.push(...rest.here);
    const any = level.next.get("*");
    if (any) collect(any, tokens, at + 1, found);
    const exact = level.next.get(token);
    if (exact) collect(exact, tokens, at + 1, found);
  }

  return {
    get size() {
      return size;
    },
    add(pattern, subscriber) {
      let level = root;
      for (const token of pattern.split(".")) {
        let next = level.next.get(token);
        if (!next) {
          next = { next: new Map(), here: new Set() };
          level.next.set(token, next);
        }
        level = next;
      }
      if (!level.here.has(subscriber)) size++;
      level.here.add(subscriber);
    },
    remove(pattern, subscriber) {
      const path: { level: Level<S>; token: string }[] = [];
      let level = root;
      for (const token of pattern.split(".")) {
        path.push({ level, token });
        const next = level.next.get(token);
        if (!next) return;
        level = next;
      }
      if (level.here.delete(subscriber)) size--;
      // Inboxes come and go by the thousand: empty branches must not stay behind.
      for (let step = path.pop(); step; step = path.pop()) {
        const child = step.level.next.get(step.token);
        if (!child || child.here.size > 0 || child.next.size > 0) return;
        step.level.next.delete(step.token);
      }
    },
    match(subject) {
      const found: S[] = [];
      collect(root, subject.split("."), 0, found);
      return found;
    },
  };
}
