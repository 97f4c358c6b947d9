/** What the simulated server keeps of one stream: the records, and the rules of appending. */

import type { Clock } from "../clock.ts";
import type { AppendRecord, JournalInfo, JournalRecord } from "../store/journal.ts";
import { JournalError } from "../store/journal.ts";
import { subjectMatches } from "../subject.ts";

export class SimLogFile {
  lastSequence = 0;
  readonly #clock: Clock;
  readonly #maxAgeMs: number;
  /** Index 0 is the record at sequence `#base`; what was purged is undefined. */
  readonly #records: (JournalRecord | undefined)[] = [];
  #base = 1;
  readonly #bySubject = new Map<string, number[]>();

  constructor(clock: Clock, maxAgeMs: number) {
    this.#clock = clock;
    this.#maxAgeMs = maxAgeMs;
  }

  /** Throws a conflict when an expectation does not hold, or did not at `asOf`. */
  judge(records: readonly AppendRecord[], asOf: number): void {
    this.#expire();
    const written = new Set<string>();
    for (const { subject, expected, expectedSubject = subject } of records) {
      if (expected !== undefined) {
        if (written.has(expectedSubject)) throw new JournalError("conflict", "wrong last sequence");
        const last = this.#lastOf(expectedSubject, asOf);
        if (last !== expected) {
          throw new JournalError("conflict", `wrong last sequence: ${last}`);
        }
      }
      written.add(subject);
    }
  }

  /**
   * Writes all or throws a conflict; gives the sequence of the first record. `refuse` may still
   * say no once every expectation was found to hold.
   */
  append(records: readonly AppendRecord[], refuse: () => boolean): number {
    this.judge(records, Number.MAX_SAFE_INTEGER);
    if (refuse()) throw new JournalError("conflict", "wrong last sequence: 0");
    const timestamp = this.#clock.now();
    const firstSequence = this.lastSequence + 1;
    for (const { subject, data, headers = {} } of records) {
      const sequence = ++this.lastSequence;
      this.#records.push({ sequence, subject, data, headers, timestamp });
      const sequences = this.#bySubject.get(subject);
      if (sequences) sequences.push(sequence);
      else this.#bySubject.set(subject, [sequence]);
    }
    return firstSequence;
  }

  info(asOf: number): JournalInfo {
    this.#expire();
    const held = this.#records.filter((record) => record !== undefined);
    return {
      firstSequence: held[0]?.sequence ?? this.lastSequence + 1,
      lastSequence: Math.min(this.lastSequence, asOf),
      messages: held.length,
      bytes: held.reduce((sum, { subject, data }) => sum + subject.length + data.length, 0),
    };
  }

  at(sequence: number): JournalRecord | undefined {
    this.#expire();
    return this.#records[sequence - this.#base];
  }

  last(subject: string, asOf: number): JournalRecord | undefined {
    this.#expire();
    const sequence = this.#lastOf(subject, asOf);
    return sequence === 0 ? undefined : this.at(sequence);
  }

  /** Up to `limit` records from a sequence on, and the sequence to go on from. */
  read(from: number, limit: number, filter?: string): [JournalRecord[], next: number] {
    this.#expire();
    const found: JournalRecord[] = [];
    let next = Math.max(from, this.#base);
    for (; next <= this.lastSequence && found.length < limit; next++) {
      const record = this.#records[next - this.#base];
      if (record && (filter === undefined || subjectMatches(filter, record.subject)))
        found.push(record);
    }
    return [found, next];
  }

  purge(subject: string, belowSequence = Number.MAX_SAFE_INTEGER): void {
    this.#expire();
    for (const sequence of [...(this.#bySubject.get(subject) ?? [])]) {
      if (sequence < belowSequence) this.#remove(sequence);
    }
    this.#trim();
  }

  #lastOf(subject: string, asOf: number): number {
    return this.#bySubject.get(subject)?.findLast((candidate) => candidate <= asOf) ?? 0;
  }

  #expire(): void {
    if (this.#maxAgeMs === 0) return;
    const dead = this.#clock.now() - this.#maxAgeMs;
    for (let record = this.#records[0]; record; record = this.#records[0]) {
      if (record.timestamp > dead) return;
      this.#remove(record.sequence);
      this.#trim();
    }
  }

  #remove(sequence: number): void {
    const record = this.#records[sequence - this.#base];
    if (!record) return;
    this.#records[sequence - this.#base] = undefined;
    const left = this.#bySubject.get(record.subject)?.filter((kept) => kept !== sequence) ?? [];
    if (left.length > 0) this.#bySubject.set(record.subject, left);
    else this.#bySubject.delete(record.subject);
  }

  /** The first record stays in front, so that expiry finds the oldest at once. */
  #trim(): void {
    const kept = this.#records.findIndex((record) => record !== undefined);
    const gone = kept < 0 ? this.#records.length : kept;
    this.#records.splice(0, gone);
    this.#base += gone;
  }
}
