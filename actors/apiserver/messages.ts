/**
 * The NATS door of the API actors: what goes over `wherry.api.…` (see `actors/subjects.ts`).
 *
 * A request's body is the object or patch, its options are the REST API's own query string in
 * one header, and the answer is the REST API's own body with the HTTP code in a header: one
 * pipeline serves both doors, and whoever knows the Kubernetes API knows this one.
 */

import type { ApiStatus } from "../../manifests/api-error.ts";
import type { Claims } from "../../runtime/token-keys.ts";

/** On requests: the query string of the REST API (`labelSelector=a%3Db&limit=500`), without `?`. */
export const queryHeader = "Wherry-Query";
/** On requests: media type of the body; a patch's type. Default `application/json`. */
export const contentTypeHeader = "Content-Type";
/** On requests: `<epoch name>@<resourceVersion>`; the write lands only while it is current. */
export const epochHeader = "Wherry-Epoch";
/** On answers: the HTTP status code. The body is the object, list or Status. */
export const statusHeader = "Wherry-Status";
/** On answers: warnings for the user, one per line. */
export const warningHeader = "Wherry-Warning";
/** On the messages of a watch: 1, 2, 3 … within one session. */
export const sequenceHeader = "Wherry-Sequence";
/**
 * On the messages of a watch: which session speaks, as in `WatchOpened`. A request that was
 * delivered twice opens two into one inbox, whose numbers say nothing about each other: the
 * watcher keeps the one that it hears of first and closes the other.
 */
export const sessionHeader = "Wherry-Session";

/** Body of a `watch` request. The selectors and resourceVersion are in the query header. */
export interface OpenWatch {
  /** Below the requester's own inbox prefix; anything else is refused. */
  inbox: string;
}

/** The answer to `OpenWatch`, status 200. */
export interface WatchOpened {
  /** The subject on which the session listens to its watcher: `sessionSubject(...)`. */
  session: string;
}

/**
 * Published by the watcher on the session's subject. The API actor keeps at most 8 MB
 * unacknowledged, then ends the watch with an Expired error; it ends a session silent for 20 s.
 */
export type SessionMessage =
  /** Everything up to this sequence number was handled; also the watcher's sign of life. */
  { type: "acknowledge"; sequence: number } | { type: "close" };

/**
 * Messages to the watcher's inbox carry one or more frames, one JSON document per line, as the
 * REST API's watch does: `{"type":"ADDED","object":{…}}`. A BOOKMARK comes at least every 5 s; a
 * gap in the numbers or 15 s of silence means: resume elsewhere from the last resourceVersion.
 */
export const watchHeartbeatMs = 5_000;
export const watchSilenceMs = 15_000;
export const watchWindowBytes = 8 * 1024 * 1024;

/**
 * Manifests by message (`wherry.manifests.apply.<principal>`, and `submit` to be kept until it is
 * done): YAML or JSON, any number of documents. Query header: `namespace` for those that name
 * none (default `default`), `dryRun=All`.
 *
 * The answer, or the message on `wherry.manifests.results.<principal>.<id>`, where the id is what
 * the submission's `Nats-Msg-Id` header said, else its number in the stream, which JetStream's
 * acknowledgement of the submission tells. Status header: 200, or the code of the first error.
 */
export interface ManifestsApplied {
  results: ManifestApplied[];
}

export interface ManifestApplied {
  apiVersion: string;
  kind: string;
  namespace?: string;
  name: string;
  /** `failed` comes with `error`; the documents after it are applied all the same. */
  change: "created" | "configured" | "unchanged" | "failed";
  uid?: string;
  resourceVersion?: string;
  error?: ApiStatus;
}

/** On submissions: names the result's subject, and lets JetStream drop a repetition. */
export const submissionIdHeader = "Nats-Msg-Id";
/** On `wherry.manifests.events.…`: the resourceVersion of the change. */
export const revisionHeader = "Wherry-Revision";

export interface NameAndUid {
  readonly name: string;
  readonly uid: string;
}

/** Issuer of the tokens in Secrets, whatever the cluster's own is. */
export const legacyIssuer = "kubernetes/serviceaccount";
export const legacyPrefix = "kubernetes.io/serviceaccount/";

/** What the token controller signs and the API believes: an account's token that a Secret holds. */
export function legacyClaims(namespace: string, account: NameAndUid, secretName: string): Claims {
  return {
    iss: legacyIssuer,
    [`${legacyPrefix}namespace`]: namespace,
    [`${legacyPrefix}secret.name`]: secretName,
    [`${legacyPrefix}service-account.name`]: account.name,
    [`${legacyPrefix}service-account.uid`]: account.uid,
    sub: `system:serviceaccount:${namespace}:${account.name}`,
  };
}
