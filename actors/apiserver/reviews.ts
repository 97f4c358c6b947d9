/** Kinds that are questions: they are answered and never stored. */

import { apiError } from "../../manifests/api-error.ts";
import type { Kind } from "../../manifests/index.ts";
import type { ApiVerb } from "../subjects.ts";
import { apiVerbs } from "../subjects.ts";
import { userOfPrincipal } from "./authn.ts";
import type { Authorizer } from "./authz.ts";
import { parseBody } from "./decode.ts";
import type { Resource } from "./registry/registry.ts";
import { type ApiReply, type ApiRequest, jsonReply, type User } from "./request.ts";

interface ReviewContext {
  readonly authorizer: Authorizer;
}

type Review = (
  context: ReviewContext,
  resource: Resource,
  request: ApiRequest,
) => Promise<ApiReply>;

interface ResourceAttributes {
  verb?: string;
  group?: string;
  resource?: string;
  subresource?: string;
  namespace?: string;
  name?: string;
}

interface AccessReviewSpec {
  resourceAttributes?: ResourceAttributes;
  user?: string;
  groups?: string[];
}

/** What answers a create of this kind, when the kind is a question. */
export function reviewAct(kind: Kind, verb: ApiVerb): Review | undefined {
  return verb === "create" ? reviews[`${kind.group}/${kind.kind}`] : undefined;
}

const reviews: Readonly<Record<string, Review>> = {
  "authorization.k8s.io/SelfSubjectAccessReview": (context, resource, request) =>
    answerAccess(context, resource, request, () => request.user),
  "authorization.k8s.io/SubjectAccessReview": (context, resource, request) =>
    answerAccess(context, resource, request, asked),
  "authorization.k8s.io/LocalSubjectAccessReview": (context, resource, request) =>
    answerAccess(context, resource, request, asked),
  "authentication.k8s.io/SelfSubjectReview": async (_context, resource, request) => {
    const { name, groups } = request.user;
    return answer(resource, {}, { userInfo: { username: name, groups } });
  },
};

function asked({ user, groups }: AccessReviewSpec): User {
  return groups ? { name: user ?? "", groups } : userOfPrincipal(user ?? "");
}

async function answerAccess(
  context: ReviewContext,
  resource: Resource,
  request: ApiRequest,
  userOf: (spec: AccessReviewSpec) => User,
): Promise<ApiReply> {
  const body = (parseBody(request).value ?? {}) as { spec?: AccessReviewSpec };
  const { spec = {} } = body;
  const { resourceAttributes: of } = spec;
  if (!of) throw apiError("BadRequest", "spec.resourceAttributes is required");
  const verb = apiVerbs.find((known) => known === of.verb);
  const { group = "", resource: plural = "", subresource = "", namespace = "", name = "" } = of;
  const access = { group, resource: plural, subresource, namespace, name };
  const user = userOf(spec);
  const allowed = verb !== undefined && context.authorizer.allowed({ ...access, user, verb });
  return answer(resource, spec, { allowed });
}

function answer(resource: Resource, spec: object, status: object): ApiReply {
  const { kind, apiVersion } = resource.kind;
  return jsonReply(201, { kind, apiVersion, metadata: {}, spec, status });
}
