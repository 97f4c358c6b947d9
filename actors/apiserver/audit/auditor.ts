/**
 * Records who asked what, and what came of it, as far as the policy wants (audit.k8s.io/v1 Event).
 * A door opens a trail for each request, tells it of the stages, and never waits for it.
 */

import type { Clock } from "../../../runtime/clock.ts";
import type { Random } from "../../../runtime/random.ts";
import { formatMicroTime } from "../../kit/time.ts";
import { userInfo } from "../authn/user.ts";
import type { User } from "../request.ts";
import {
  type AuditDecision,
  type Audited,
  type AuditPolicy,
  type AuditStage,
  decideAudit,
} from "./policy.ts";

export interface AskedRequest extends Audited {
  readonly uri: string;
  readonly sourceIPs: readonly string[];
  readonly userAgent: string;
  /** A watch, a log, a terminal: it has an answer long before it has an end. */
  readonly longRunning: boolean;
}

export interface AuditTrail {
  readonly id: string;
  /** Whether the policy wants the answer itself, so that it must not be read away. */
  readonly wantsResponse: boolean;
  received(asked: AskedRequest): void;
  /** Once it is known that who speaks may speak as somebody else. */
  speaksAs(user: User): void;
  /** `read` is called only when the policy wants the body; it may throw. */
  requested(read: () => unknown): void;
  /** What a stage of the request has to say about it. */
  annotate(key: string, value: string): void;
  responseStarted(code: number): void;
  /** The body, of an error or when it is wanted. */
  complete(code: number, body?: () => Uint8Array): void;
}

export interface Auditor {
  /** `id`: what the client's `Audit-ID` header said, else one is made up. */
  open(id?: string): AuditTrail;
}

export interface AuditEvent {
  readonly subject: Pick<Audited, "verb" | "object">;
  readonly event: object;
}

export interface AuditorOptions {
  readonly policy: AuditPolicy;
  readonly clock: Clock;
  readonly random: Random;
  /** Must not throw, nor wait. */
  emit(event: AuditEvent): void;
}

export function createAuditor(options: AuditorOptions): Auditor {
  return { open: (id) => new Trail(options, id || options.random.uuid()) };
}

/** Whom nobody knows: credentials that were refused. */
export const nobody: User = { name: "", groups: [] };
const decoder = new TextDecoder();

class Trail implements AuditTrail {
  readonly id: string;
  readonly #options: AuditorOptions;
  readonly #receivedMs: number;
  #asked: AskedRequest | undefined;
  #impersonated: User | undefined;
  #decision: AuditDecision | undefined;
  #requestObject: unknown;
  readonly #notes: Record<string, string> = {};
  #started = false;
  #ended = false;

  constructor(options: AuditorOptions, id: string) {
    this.#options = options;
    this.id = id;
    this.#receivedMs = options.clock.now();
  }

  get wantsResponse(): boolean {
    return this.#decision?.level === "RequestResponse" && !this.#asked?.longRunning;
  }

  received(asked: AskedRequest): void {
    this.#asked = asked;
    this.#decision = decideAudit(this.#options.policy, asked);
    this.#emit("RequestReceived", {});
  }

  speaksAs(user: User): void {
    this.#impersonated = user;
  }

  requested(read: () => unknown): void {
    const { level } = this.#decision ?? {};
    if (level !== "Request" && level !== "RequestResponse") return;
    this.#requestObject = this.#parse(read);
  }

  annotate(key: string, value: string): void {
    this.#notes[key] = value;
  }

  responseStarted(code: number): void {
    if (!this.#asked?.longRunning || this.#started) return;
    this.#started = true;
    this.#emit("ResponseStarted", { responseStatus: { metadata: {}, code } });
  }

  complete(code: number, body?: () => Uint8Array): void {
    if (this.#ended) return;
    this.#ended = true;
    const isError = code >= 400;
    const read = body && (this.wantsResponse || (isError && this.#isRecorded()));
    const response = read ? this.#parse(() => JSON.parse(decoder.decode(body()))) : undefined;
    const { status, message, reason } = (isError ? (response ?? {}) : {}) as Record<
      string,
      unknown
    >;
    const responseStatus = { metadata: {}, status, message, reason, code };
    // What broke on our side, rather than what was refused.
    const stage = reason === "InternalError" ? "Panic" : "ResponseComplete";
    this.#emit(stage, {
      responseStatus,
      ...(this.wantsResponse ? { responseObject: response } : {}),
    });
  }

  #isRecorded(): boolean {
    return this.#decision !== undefined && this.#decision.level !== "None";
  }

  #parse(read: () => unknown): unknown {
    try {
      const value = read();
      return this.#decision?.omitManagedFields ? withoutManagedFields(value) : value;
    } catch {
      // Not an object: the request is refused for it, or the answer is text.
      return undefined;
    }
  }

  #emit(stage: AuditStage, more: object): void {
    const asked = this.#asked;
    const decision = this.#decision;
    if (!asked || !decision || decision.level === "None" || decision.omitStages.includes(stage)) {
      return;
    }
    const { object, verb } = asked;
    const impersonated = this.#impersonated;
    this.#options.emit({
      subject: { verb, object },
      event: {
        kind: "Event",
        apiVersion: "audit.k8s.io/v1",
        level: decision.level,
        auditID: this.id,
        stage,
        requestURI: asked.uri,
        verb,
        user: userInfo(asked.user),
        ...(impersonated ? { impersonatedUser: userInfo(impersonated) } : {}),
        sourceIPs: asked.sourceIPs,
        userAgent: asked.userAgent,
        ...(object ? { objectRef: objectRef(object) } : {}),
        ...(stage === "RequestReceived" ? {} : { requestObject: this.#requestObject, ...more }),
        requestReceivedTimestamp: formatMicroTime(this.#receivedMs),
        stageTimestamp: formatMicroTime(this.#options.clock.now()),
        ...(stage === "RequestReceived" ? {} : { annotations: { ...this.#notes } }),
      },
    });
  }
}

function objectRef(object: NonNullable<Audited["object"]>): object {
  const { group, version, resource, subresource, namespace, name } = object;
  const ref = { resource, namespace, name, apiGroup: group, apiVersion: version, subresource };
  return Object.fromEntries(Object.entries(ref).filter(([, value]) => value !== ""));
}

function withoutManagedFields(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const { metadata, items } = value as { metadata?: object; items?: unknown };
  const kept: Record<string, unknown> = { ...value };
  if (metadata) {
    const { managedFields: _, ...rest } = metadata as Record<string, unknown>;
    kept.metadata = rest;
  }
  if (Array.isArray(items)) kept.items = items.map(withoutManagedFields);
  return kept;
}
