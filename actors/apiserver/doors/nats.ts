/**
 * The NATS door: requests to the API actors' queue group, answered by whichever takes them.
 * The wire form is `actors/apiserver/messages.ts`; the server lets a principal publish only under
 * its own name, and the door answers only to that principal's own inbox.
 */

import { apiError } from "../../../manifests/api-error.ts";
import type { Bus, BusMessage, Subscription } from "../../../runtime/bus.ts";
import type { Clock } from "../../../runtime/clock.ts";
import type { Log } from "../../../runtime/log.ts";
import { apiSubjects, inboxPrefix, parseApiSubject } from "../../subjects.ts";
import type { AskedRequest, Auditor, AuditTrail } from "../audit/auditor.ts";
import { userOfPrincipal } from "../authn/user.ts";
import { parseBody } from "../decode.ts";
import {
  contentTypeHeader,
  epochHeader,
  queryHeader,
  statusHeader,
  warningHeader,
} from "../messages.ts";
import type { Pipeline } from "../pipeline.ts";
import { type ApiReply, type ApiRequest, concat, jsonReply } from "../request.ts";
import type { Sessions } from "./watch-sessions.ts";

/** Below the server's max_payload of 8 MB, with room for headers and one more object. */
export const maxListBytes = 6 * 1024 * 1024;
/** Parts of an answer made before others get their turn: each may need parsing. */
const turnParts = 200;
const queue = "apiserver";
const allInboxes = "_INBOX.";

export function openNatsDoor(
  { bus, clock, log }: { bus: Bus; clock: Clock; log: Log },
  { pipeline, auditor }: NatsHouse,
  sessions: Sessions,
): Subscription {
  async function receive(message: BusMessage): Promise<void> {
    const trail = auditor?.open();
    const given = await pipeline.catching(() => answer(message, trail));
    const reply = trail?.wantsResponse ? { ...given, parts: [...given.parts] } : given;
    trail?.complete(reply.code, () => concat([...reply.parts]));
    const headers: Record<string, string> = { [statusHeader]: String(reply.code) };
    if (reply.warnings.length > 0) headers[warningHeader] = reply.warnings.join("\n");
    message.respond(await gathered(reply, clock), headers);
  }

  async function answer(message: BusMessage, trail?: AuditTrail): Promise<ApiReply> {
    const annotate = trail && ((key: string, value: string) => trail.annotate(key, value));
    const request = { ...requestOf(message), annotate };
    trail?.received(askedOver(message, request));
    trail?.requested(() => parseBody(request).value);
    if (request.verb !== "watch") {
      return await pipeline.handle(request, { maxBytes: maxListBytes });
    }
    const inbox = inboxOf(request);
    assertOwnInbox(request.user.name, inbox);
    return jsonReply(200, await sessions.open(request, inbox));
  }

  return bus.subscribe(
    apiSubjects,
    (message) => {
      const principal = parseApiSubject(message.subject)?.principal;
      // An answer elsewhere than to the principal's own inbox would be somebody else's to read.
      if (!principal || !message.reply || !isOwnInbox(principal, message.reply)) return;
      receive(message).catch((error: unknown) => {
        log.error("Failed to send an answer", { subject: message.subject, error });
      });
    },
    { queue },
  );
}

export interface NatsHouse {
  readonly pipeline: Pipeline;
  readonly auditor: Auditor | undefined;
}

/** Differs from Kubernetes: of a watch over NATS the opening is recorded, and not its end. */
function askedOver({ subject }: BusMessage, request: ApiRequest): AskedRequest {
  const { user, verb } = request;
  const about = { user, verb, path: subject, uri: subject, object: request };
  return { ...about, sourceIPs: [], userAgent: "nats", longRunning: false };
}

async function gathered(reply: ApiReply, clock: Clock): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (const part of reply.parts) {
    parts.push(part);
    if (parts.length % turnParts === 0) await clock.sleep(0);
  }
  return concat(parts);
}

function requestOf(message: BusMessage): ApiRequest {
  const target = parseApiSubject(message.subject);
  if (!target) throw apiError("BadRequest", `no such subject: ${message.subject}`);
  const [resource = "", subresource = ""] = target.resource.split("/", 2);
  const { headers } = message;
  return {
    user: userOfPrincipal(target.principal),
    verb: target.verb,
    group: target.group,
    version: "",
    resource,
    subresource,
    namespace: target.namespace,
    name: target.name,
    query: new URLSearchParams(headers[queryHeader] ?? ""),
    // The payload is a view into the socket's buffer, and a request outlives this turn.
    body: message.data.slice(),
    contentType: headers[contentTypeHeader] ?? "application/json",
    form: "object",
    epoch: headers[epochHeader],
  };
}

function inboxOf(request: ApiRequest): string {
  try {
    const body: unknown = JSON.parse(new TextDecoder().decode(request.body));
    if (typeof body === "object" && body !== null && "inbox" in body) {
      if (typeof body.inbox === "string") return body.inbox;
    }
  } catch {
    // Said below.
  }
  throw apiError("BadRequest", "the body of a watch names the inbox that its events go to");
}

export function isOwnInbox(principal: string, subject: string): boolean {
  return subject.startsWith(`${inboxPrefix(principal)}.`) && !/[*>\s]/.test(subject);
}

function assertOwnInbox(principal: string, subject: string): void {
  if (isOwnInbox(principal, subject)) return;
  const why = `an inbox of "${principal}" begins with "${inboxPrefix(principal)}."`;
  const what = subject.startsWith(allInboxes) ? "the inbox is another principal's" : "not an inbox";
  throw apiError("Forbidden", `${what}: ${why}`);
}
