/**
 * Manifests by message: what `kubectl apply` does, done here. Each document is created, or
 * brought to what it says now by a three-way patch that keeps what others have changed.
 */

import { ApiError, apiError, isAlreadyExists, isNotFound } from "../../../manifests/api-error.ts";
import {
  createThreeWayPatch,
  DecodeError,
  type Kind,
  type KubeObject,
  kindOfDocument,
  lastApplied,
  parseManifests,
  SyntaxFault,
  threeWayPatchType,
  withLastApplied,
} from "../../../manifests/index.ts";
import type { Bus, BusMessage, Subscription } from "../../../runtime/bus.ts";
import type { Log } from "../../../runtime/log.ts";
import { manifestsSubjects, parseManifestsSubject } from "../../subjects.ts";
import { userOfPrincipal } from "../authn/user.ts";
import { requestFor } from "../local.ts";
import {
  type ManifestApplied,
  type ManifestsApplied,
  queryHeader,
  statusHeader,
} from "../messages.ts";
import type { Pipeline } from "../pipeline.ts";
import { type ApiRequest, jsonReply, replyBytes, type User } from "../request.ts";
import { isOwnInbox } from "./nats.ts";

const queue = "apiserver";
const encoder = new TextEncoder();

export interface Applied {
  readonly code: number;
  readonly body: Uint8Array;
}

/** Answers `wherry.manifests.apply.<principal>`. */
export function openManifestsDoor(bus: Bus, pipeline: Pipeline, log: Log): Subscription {
  async function receive(message: BusMessage, principal: string): Promise<void> {
    const query = new URLSearchParams(message.headers[queryHeader] ?? "");
    const applied = await applyManifests(pipeline, principal, message.data.slice(), query);
    log.debug("Applied manifests", { principal, code: applied.code });
    message.respond(applied.body, { [statusHeader]: String(applied.code) });
  }
  return bus.subscribe(
    manifestsSubjects.apply,
    (message) => {
      const principal = parseManifestsSubject(message.subject);
      if (!principal || !message.reply || !isOwnInbox(principal, message.reply)) return;
      receive(message, principal).catch((error: unknown) => {
        log.error("Failed to answer an apply", { principal, error });
      });
    },
    { queue },
  );
}

/** All documents in their order; a text that is none at all is one error. */
export async function applyManifests(
  pipeline: Pipeline,
  principal: string,
  body: Uint8Array,
  query: URLSearchParams,
): Promise<Applied> {
  let code = 200;
  const reply = await pipeline.catching(async () => {
    const user = userOfPrincipal(principal);
    const results: ManifestApplied[] = [];
    for (const document of documentsOf(body)) {
      const applied = await applyDocument(pipeline, user, document, query);
      if (applied.error && code === 200) code = applied.error.code;
      results.push(applied);
    }
    const answer: ManifestsApplied = { results };
    return jsonReply(code, answer);
  });
  return { code: reply.code, body: replyBytes(reply) };
}

/** Lists stand for what they hold, as for kubectl. */
function documentsOf(body: Uint8Array): unknown[] {
  try {
    const documents = parseManifests(new TextDecoder().decode(body));
    return documents.flatMap((document) => itemsOf(document) ?? [document]);
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    throw apiError("BadRequest", error.message, undefined, { cause: error });
  }
}

function itemsOf(document: unknown): unknown[] | undefined {
  if (typeof document !== "object" || document === null || !("items" in document)) return undefined;
  const isList = "kind" in document && String(document.kind).endsWith("List");
  return isList && Array.isArray(document.items) ? document.items : undefined;
}

async function applyDocument(
  pipeline: Pipeline,
  user: User,
  document: unknown,
  query: URLSearchParams,
): Promise<ManifestApplied> {
  const manifest = document as Partial<KubeObject>;
  const { apiVersion = "", kind: kindName = "", metadata } = manifest ?? {};
  const named = { apiVersion, kind: kindName, name: metadata?.name ?? "" };
  try {
    const found = await pipeline.kind(apiVersion, kindName);
    const kind = kindOf(document, found);
    const namespace = kind.namespaced
      ? metadata?.namespace || query.get("namespace") || "default"
      : "";
    const name = metadata?.name ?? "";
    if (!name) throw apiError("BadRequest", "metadata.name is required to apply a manifest");
    const place = { ...requestFor(kind, user), namespace, name, query: optionsOf(query) };
    const wanted = { ...manifest, metadata: { ...metadata, ...(namespace ? { namespace } : {}) } };
    const { change, object } = await applyOne(pipeline, place, kind, withLastApplied(wanted));
    const { uid, resourceVersion } = object.metadata;
    const where = namespace ? { namespace } : {};
    return { ...named, ...where, change, uid, resourceVersion };
  } catch (error) {
    const namespace = metadata?.namespace;
    const failed = { ...named, ...(namespace ? { namespace } : {}), change: "failed" as const };
    if (error instanceof ApiError) return { ...failed, error: error.status };
    throw error;
  }
}

function kindOf(document: unknown, found: Kind | undefined): Kind {
  try {
    return kindOfDocument(document, () => found);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw apiError("BadRequest", error.message, undefined, { cause: error });
  }
}

/** A mistake in a manifest is told, never dropped: nobody reads the warnings of a message. */
function optionsOf(query: URLSearchParams): URLSearchParams {
  const options = new URLSearchParams({ fieldValidation: "Strict" });
  for (const value of query.getAll("dryRun")) options.append("dryRun", value);
  return options;
}

interface One {
  readonly change: "created" | "configured" | "unchanged";
  readonly object: KubeObject;
}

async function applyOne(
  pipeline: Pipeline,
  place: ApiRequest,
  kind: Kind,
  wanted: object,
): Promise<One> {
  async function ask(request: Partial<ApiRequest>): Promise<KubeObject> {
    const reply = await pipeline.handle({ ...place, ...request });
    return JSON.parse(new TextDecoder().decode(replyBytes(reply))) as KubeObject;
  }
  const json = (value: object) => encoder.encode(JSON.stringify(value));
  const read = { verb: "get", query: new URLSearchParams() } as const;
  let current = await ask(read).catch(undefinedIfNotFound);
  if (!current) {
    try {
      return { change: "created", object: await ask({ verb: "create", body: json(wanted) }) };
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      // Made by somebody else in between.
      current = await ask(read);
    }
  }
  const fields = wanted as Record<string, unknown>;
  const now = current as unknown as Record<string, unknown>;
  const patch = createThreeWayPatch(kind, lastApplied(current), fields, now);
  if (!patch) return { change: "unchanged", object: current };
  const object = await ask({
    verb: "patch",
    body: json(patch),
    contentType: threeWayPatchType(kind),
  });
  const same = object.metadata.resourceVersion === current.metadata.resourceVersion;
  return { change: same ? "unchanged" : "configured", object };
}

function undefinedIfNotFound(error: unknown): undefined {
  if (isNotFound(error)) return undefined;
  throw error;
}
