/**
 * The chain of authorizers, as upstream's `Node,RBAC`: masters may do everything, health is for
 * everybody, Wherry's actors have what they declare, nodes what is theirs, and RBAC says the rest.
 * The first that allows decides; nobody forbids.
 */

import type { PolicyRule, RoleRef } from "../../../manifests/index.ts";
import type { Store } from "../../../runtime/store/store.ts";
import { isMaster } from "../authn/user.ts";
import { waitUntilFresh } from "../freshness.ts";
import type { Annotate, User } from "../request.ts";
import { type Asked, allow, type Decision, deny, isPath, noOpinion, refuse } from "./access.ts";
import { decideForActor, type Grants, rulesForActor } from "./actors.ts";
import { NodeAuthorizer, nodeIdentity } from "./node.ts";
import { Policy } from "./policy.ts";
import { decideByRoles, rulesFor } from "./rbac.ts";

export interface Authorizer {
  /** From what is known here; a refusal is read again consistently before it is given. */
  judge(asked: Asked): Promise<Decision>;
  /**
   * Rejects with Forbidden in upstream's words; with 503 while the store cannot be asked.
   * `annotate` is told the verdict (k8s: endpoints/filters/authorization.go).
   */
  authorize(asked: Asked, annotate?: Annotate): Promise<void>;
  rulesFor(user: User, namespace: string): HeldRules;
  /** Undefined when there is no such role. `namespace` is the binding's. */
  rulesOf(roleRef: RoleRef, namespace: string): readonly PolicyRule[] | undefined;
  /** Resolves once everything that was committed before is known here. */
  catchUp(): Promise<void>;
}

export interface HeldRules {
  readonly rules: readonly PolicyRule[];
  /** Why there may be more than these. */
  readonly errors: readonly string[];
}

/**
 * Alone among paths these need no rule: whoever watches over the process has no name. Upstream's
 * default for --authorization-always-allow-paths.
 */
const openPaths = new Set(["/healthz", "/livez", "/readyz"]);

export function createAuthorizer(grants: Grants, objects: Store): Authorizer {
  const policy = new Policy(objects);
  const nodes = new NodeAuthorizer(objects);
  const chain = [
    decideForMaster,
    (asked: Asked) => decideForActor(grants, asked),
    (asked: Asked) => nodes.decide(asked),
    (asked: Asked) => decideByRoles(policy, asked),
  ];
  const catchUp = () => waitUntilFresh(objects, undefined);

  async function judge(asked: Asked): Promise<Decision> {
    const decision = decide(chain, asked);
    if (decision.allowed) return decision;
    await catchUp();
    return decide(chain, asked);
  }

  return {
    judge,
    async authorize(asked, annotate) {
      const { allowed, reason } = await judge(asked);
      annotate?.("authorization.k8s.io/decision", allowed ? "allow" : "forbid");
      annotate?.("authorization.k8s.io/reason", reason);
      if (!allowed) throw deny(asked, reason);
    },
    rulesFor(user, namespace) {
      const { rules, missing } = rulesFor(policy, user, namespace);
      const ofNode = nodeIdentity(user) === undefined ? [] : [nodeRulesUnknown];
      return {
        rules: [...rulesForActor(grants, user.name), ...rules],
        errors: [...ofNode, ...missing],
      };
    },
    rulesOf: (roleRef, namespace) => policy.rulesOf(roleRef, namespace),
    catchUp,
  };
}

const nodeRulesUnknown = "node authorizer does not support user rule resolution";

type Authorize = (asked: Asked) => Decision;

function decide(chain: readonly Authorize[], asked: Asked): Decision {
  const reasons: string[] = [];
  for (const authorize of chain) {
    const decision = authorize(asked);
    if (decision.allowed) return decision;
    if (decision.reason) reasons.push(decision.reason);
  }
  return reasons.length > 0 ? refuse(reasons.join("\n")) : noOpinion;
}

function decideForMaster(asked: Asked): Decision {
  if (isMaster(asked.user)) return allow("");
  return isPath(asked) && openPaths.has(asked.path) ? allow("") : noOpinion;
}
