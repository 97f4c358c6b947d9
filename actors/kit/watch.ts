/**
 * A watch that outlives the API actor serving it.
 *
 * One session is numbered messages from one replica to one inbox. A gap in the numbers, 15 s of
 * silence, or a connection that was lost and came back end the session, and the next one resumes
 * on whichever replica answers, from the last resourceVersion handled. What cannot be resumed
 * (410: too old) ends the watch, and its owner lists again.
 */

import { ApiError, type ApiStatus, isExpired, isForbidden } from "../../manifests/api-error.ts";
import type { Kind, KubeObject } from "../../manifests/index.ts";
import type { Bus, BusMessage, Subscription } from "../../runtime/bus.ts";
import type { Clock, Timer } from "../../runtime/clock.ts";
import {
  type OpenWatch,
  type SessionMessage,
  sequenceHeader,
  sessionHeader,
  type WatchOpened,
  watchHeartbeatMs,
  watchSilenceMs,
  watchWindowBytes,
} from "../apiserver/messages.ts";
import { apiSubject } from "../subjects.ts";
import { requestDoor } from "./request.ts";

export interface WatchOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Changes after this one. Absent: first every object as ADDED, then changes. */
  resourceVersion?: string;
}

export interface WatchHandlers<T> {
  onEvent(type: "ADDED" | "MODIFIED" | "DELETED", object: T): void;
  /** Everything up to here was delivered. Comes at least every 5 s. */
  onBookmark?(resourceVersion: string): void;
  /** The watch is over: it expired, or may not be. Not called after `close`. */
  onEnd(error: ApiError): void;
}

export interface Watch {
  close(): void;
}

export interface WatchTarget {
  kind: Kind;
  principal: string;
  signal?: AbortSignal;
}

interface Frame {
  type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  object: KubeObject;
}

interface Session {
  inbox: Subscription;
  /** Where the API actor listens: known from its answer or its first message, whichever comes. */
  subject: string | undefined;
  sequence: number;
  unacknowledgedBytes: number;
  acknowledgedAt: number;
}

const firstPauseMs = 50;
const longestPauseMs = 2_000;
const acknowledgeBytes = watchWindowBytes / 16;

export function openWatch<T extends KubeObject>(
  bus: Bus,
  clock: Clock,
  target: WatchTarget,
  options: WatchOptions,
  handlers: WatchHandlers<T>,
): Watch {
  let resourceVersion = options.resourceVersion;
  let session: Session | undefined;
  let silence: Timer | undefined;
  let pauseMs = firstPauseMs;
  let closed = false;

  function close(): void {
    if (closed) return;
    closed = true;
    endSession();
    status.unsubscribe();
    target.signal?.removeEventListener("abort", close);
  }

  function end(error: ApiError): void {
    if (closed) return;
    close();
    handlers.onEnd(error);
  }

  function endSession(): void {
    silence?.dispose();
    silence = undefined;
    if (!session) return;
    const { inbox, subject } = session;
    if (subject !== undefined) tell(subject, { type: "close" });
    session = undefined;
    inbox.unsubscribe();
  }

  function tell(subject: string, message: SessionMessage): void {
    if (bus.connected) bus.publish(subject, JSON.stringify(message));
  }

  /** Opens the next session at once, or after `delayMs` when opening keeps failing. */
  function resume(delayMs: number): void {
    if (closed) return;
    endSession();
    if (delayMs === 0) open();
    else silence = clock.setTimer(delayMs, open);
  }

  function open(): void {
    if (closed) return;
    const subject = bus.inbox();
    const current: Session = {
      inbox: bus.subscribe(subject, (message) => {
        if (session === current) receive(current, message);
      }),
      subject: undefined,
      sequence: 0,
      unacknowledgedBytes: 0,
      acknowledgedAt: clock.monotonic(),
    };
    session = current;
    listen();
    requestSession(subject).then(
      (opened) => {
        // Superseded while the answer was under way: the API actor need not wait to learn it.
        if (session !== current) tell(opened.session, { type: "close" });
        else claim(current, opened.session);
      },
      (error: unknown) => {
        if (session === current) fail(error);
      },
    );
  }

  function requestSession(inbox: string): Promise<WatchOpened> {
    const { kind, principal, signal } = target;
    const { group, resource } = kind;
    const { namespace = "", labelSelector, fieldSelector } = options;
    const body: OpenWatch = { inbox };
    const query = { labelSelector, fieldSelector, resourceVersion, allowWatchBookmarks: true };
    const subject = apiSubject({ principal, verb: "watch", group, resource, namespace, name: "" });
    const request = { subject, query, body, repeatable: false };
    return requestDoor<WatchOpened>(bus, clock, request, {
      signal,
      timeoutMs: watchHeartbeatMs,
      patienceMs: watchHeartbeatMs,
    });
  }

  function fail(error: unknown): void {
    const refused = error instanceof ApiError && error.code < 500 && error.code !== 429;
    if (target.signal?.aborted) close();
    else if (refused) end(error);
    else pause();
  }

  function pause(): void {
    const delayMs = pauseMs;
    pauseMs = Math.min(2 * pauseMs, longestPauseMs);
    resume(delayMs);
  }

  function listen(): void {
    silence?.dispose();
    silence = clock.setTimer(watchSilenceMs, () => resume(0));
  }

  /** True for the session that was heard of first; another one, of the same request, is closed. */
  function claim(current: Session, subject: string): boolean {
    current.subject ??= subject;
    if (current.subject === subject) return true;
    tell(subject, { type: "close" });
    return false;
  }

  function receive(current: Session, message: BusMessage): void {
    const from = message.headers[sessionHeader];
    if (from === undefined || !claim(current, from)) return;
    const sequence = Number(message.headers[sequenceHeader]);
    if (sequence <= current.sequence) return;
    if (sequence !== current.sequence + 1) {
      resume(0);
      return;
    }
    current.sequence = sequence;
    pauseMs = firstPauseMs;
    listen();
    for (const line of new TextDecoder().decode(message.data).split("\n")) {
      if (line !== "" && session === current) deliver(current, JSON.parse(line) as Frame);
    }
    current.unacknowledgedBytes += message.data.length;
    if (session === current) acknowledge(current);
  }

  function deliver(current: Session, { type, object }: Frame): void {
    if (type === "ERROR") {
      interrupt(current, new ApiError(object as unknown as ApiStatus));
      return;
    }
    const version = object.metadata.resourceVersion;
    if (type !== "BOOKMARK") handlers.onEvent(type, object as T);
    if (version) resourceVersion = version;
    if (type === "BOOKMARK" && version) handlers.onBookmark?.(version);
  }

  /** A reader that was too slow is cut off as Expired too: only a first message means too old. */
  function interrupt(current: Session, error: ApiError): void {
    const tooOld = isExpired(error) && current.sequence === 1;
    if (tooOld || isForbidden(error)) end(error);
    else pause();
  }

  function acknowledge(current: Session): void {
    const waitedMs = clock.monotonic() - current.acknowledgedAt;
    const due = current.unacknowledgedBytes >= acknowledgeBytes || waitedMs >= watchHeartbeatMs / 2;
    if (!due || current.subject === undefined) return;
    tell(current.subject, { type: "acknowledge", sequence: current.sequence });
    current.unacknowledgedBytes = 0;
    current.acknowledgedAt = clock.monotonic();
  }

  const status = bus.onStatus((connected) => {
    if (connected) resume(0);
  });
  target.signal?.addEventListener("abort", close, { once: true });
  if (target.signal?.aborted) close();
  else open();
  return { close };
}
