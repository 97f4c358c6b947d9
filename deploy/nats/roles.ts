/**
 * Who connects to NATS, and what each may say and hear: the walls between the actors.
 *
 * The rules follow `actors/subjects.ts`. Everybody publishes requests under its own principal and
 * receives below its own inbox; the API role alone reaches JetStream. A role that serves requests
 * may answer each of them once (`responses`), which opens no subject of its own choosing.
 */
import { encodeToken } from "../../runtime/token.ts";

/** The control plane's roles; each may run in a process of its own. */
export const actorRoles = ["api", "controllers", "scheduler", "ledger", "proxy", "dns"] as const;

export type ActorRole = (typeof actorRoles)[number];
/** `node:<name>` is a kubelet; `admin` is the cluster's owner and the CLI. */
export type Role = ActorRole | "admin" | `node:${string}`;

/** The name under which a role asks the API; see `actors/apiserver/authn/user.ts`. */
export function principalOf(role: Role): string {
  if (role === "admin") return "wherry-admin";
  if (role.startsWith("node:")) return `system:node:${role.slice("node:".length)}`;
  return `system:wherry:${role}`;
}

/** The file name of a role's credentials, without its ending. */
export function fileNameOf(role: Role): string {
  return role.replace(":", "-");
}

export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  /** May answer a request, on the subject the requester named, once. */
  readonly responses: boolean;
}

export function permissionsOf(role: Role): Permissions {
  const me = encodeToken(principalOf(role));
  const publish = [
    `wherry.api.${me}.>`,
    `wherry.session.${me}.>`,
    `wherry.manifests.apply.${me}`,
    `wherry.manifests.submit.${me}`,
    `wherry.owner.${me}.*`,
    // Reports for people: who writes them reads nothing back, and nobody acts on them.
    `wherry.dead.${me}.*`,
  ];
  const subscribe = [`_INBOX.${me}.>`, `wherry.manifests.results.${me}.>`, `wherry.owner.${me}.*`];
  const owners = [`wherry.owner.${me}.*`];
  switch (role) {
    case "api":
      return apiPermissions(publish, subscribe, me);
    case "scheduler":
      return {
        publish: [...publish, `wherry.ledger.${me}.bind`, ...owners],
        subscribe: [...subscribe, ...owners],
        responses: true,
      };
    case "ledger":
      return {
        publish: [...publish, ...owners],
        subscribe: [...subscribe, ...owners, "wherry.ledger.*.bind"],
        responses: true,
      };
    case "admin":
      return {
        publish,
        subscribe: [...subscribe, "wherry.manifests.events.>", "wherry.audit.>", "wherry.dead.*.*"],
        responses: false,
      };
    case "controllers":
      return {
        publish: [...publish, ...owners],
        subscribe: [...subscribe, ...owners],
        responses: true,
      };
    case "proxy":
    case "dns":
      return { publish, subscribe, responses: false };
    default:
      return nodePermissions(publish, subscribe, role.slice("node:".length));
  }
}

function apiPermissions(publish: string[], subscribe: string[], me: string): Permissions {
  return {
    publish: [
      ...publish,
      // Answers, and the frames of watches.
      "_INBOX.>",
      `wherry.ledger.${me}.bind`,
      `wherry.owner.${me}.*`,
      "wherry.node.>",
      "wherry.stream.*.*.down",
      "wherry.manifests.results.>",
      "wherry.manifests.events.>",
      "wherry.audit.>",
      "$JS.API.>",
      "$JS.ACK.>",
      "$JS.FC.>",
      "$KV.>",
    ],
    subscribe: [
      ...subscribe,
      "wherry.api.>",
      "wherry.session.>",
      `wherry.owner.${me}.*`,
      "wherry.manifests.apply.*",
      "wherry.manifests.submit.*",
      "wherry.stream.*.*.up",
    ],
    responses: true,
  };
}

function nodePermissions(publish: string[], subscribe: string[], name: string): Permissions {
  const node = encodeToken(name);
  return {
    publish: [...publish, `wherry.stream.${node}.*.up`],
    subscribe: [...subscribe, `wherry.node.${node}.*`, `wherry.stream.${node}.*.down`],
    responses: true,
  };
}
