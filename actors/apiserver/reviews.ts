/** Kinds that are questions: they are answered and never stored. */

import { apiError } from "../../manifests/api-error.ts";
import type {
  Kind,
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  TokenReview,
} from "../../manifests/index.ts";
import type { ApiVerb } from "../subjects.ts";
import { type Authenticator, TokenError } from "./authn/authenticator.ts";
import { userInfo } from "./authn/user.ts";
import {
  type AccessSpec,
  askedBy,
  type SubjectSpec,
  validateAccess,
  validateLocal,
  validateSubject,
} from "./authz/access-review.ts";
import type { Authorizer } from "./authz/authorizer.ts";
import { decodeBody } from "./decode.ts";
import type { Resource } from "./registry/registry.ts";
import { type ApiReply, type ApiRequest, jsonReply, type User } from "./request.ts";
import { assertValid } from "./stages.ts";

interface ReviewContext {
  readonly authorizer: Authorizer;
  readonly authenticator: Authenticator;
}

type Review = (
  context: ReviewContext,
  resource: Resource,
  request: ApiRequest,
) => Promise<ApiReply>;

/** What answers a create of this kind, when the kind is a question. */
export function reviewAct(kind: Kind, verb: ApiVerb): Review | undefined {
  return verb === "create" ? reviews[`${kind.group}/${kind.kind}`] : undefined;
}

const reviews: Readonly<Record<string, Review>> = {
  "authorization.k8s.io/SelfSubjectAccessReview": async (context, resource, request) => {
    const review = bodyOf<SelfSubjectAccessReview>(resource, request);
    assertValid(resource, "", validateAccess(review.spec));
    return await answerAccess(context, resource, request, review, request.user);
  },
  "authorization.k8s.io/SubjectAccessReview": async (context, resource, request) => {
    const review = bodyOf<SubjectAccessReview>(resource, request);
    assertValid(resource, "", validateSubject(review.spec));
    return await answerAccess(context, resource, request, review, subjectOf(review.spec));
  },
  "authorization.k8s.io/LocalSubjectAccessReview": async (context, resource, request) => {
    const review = bodyOf<LocalSubjectAccessReview>(resource, request);
    const { namespace } = request;
    assertValid(resource, "", [
      ...validateSubject(review.spec),
      ...validateLocal(review.spec, namespace),
    ]);
    if (review.metadata.namespace && review.metadata.namespace !== namespace) {
      const why = `spec.resourceAttributes.namespace must match namespace: ${namespace}`;
      throw apiError("BadRequest", why);
    }
    return await answerAccess(context, resource, request, review, subjectOf(review.spec));
  },
  "authorization.k8s.io/SelfSubjectRulesReview": async ({ authorizer }, resource, request) => {
    const { spec } = bodyOf<SelfSubjectRulesReview>(resource, request);
    if (!spec.namespace) throw apiError("BadRequest", "no namespace on request");
    const { rules, errors } = authorizer.rulesFor(request.user, spec.namespace);
    const status = {
      resourceRules: rules.flatMap(({ verbs, apiGroups, resources, resourceNames }) =>
        resources ? [{ verbs, apiGroups, resources, resourceNames }] : [],
      ),
      nonResourceRules: rules.flatMap(({ verbs, nonResourceURLs }) =>
        nonResourceURLs ? [{ verbs, nonResourceURLs }] : [],
      ),
      incomplete: errors.length > 0,
      ...(errors.length > 0 ? { evaluationError: errors.join(", ") } : {}),
    };
    return answer(resource, { spec, status });
  },
  "authentication.k8s.io/SelfSubjectReview": async (_context, resource, request) => {
    return answer(resource, { status: { userInfo: userInfo(request.user) } });
  },
  "authentication.k8s.io/TokenReview": reviewToken,
};

/** Whose token this is, for a webhook or an aggregated API that was shown it. */
async function reviewToken(
  { authenticator }: ReviewContext,
  resource: Resource,
  request: ApiRequest,
): Promise<ApiReply> {
  const { spec } = bodyOf<TokenReview>(resource, request);
  if (!spec.token) {
    throw apiError("BadRequest", "token is required for TokenReview in authentication");
  }
  const wanted = spec.audiences?.length ? spec.audiences : authenticator.audiences;
  try {
    const { user, audiences } = await authenticator.review(spec.token, wanted);
    const status = { authenticated: true, user: userInfo(user), audiences };
    return answer(resource, { spec, status });
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    return answer(resource, {
      spec,
      status: { authenticated: false, user: {}, error: error.message },
    });
  }
}

/** Groups are what the question says: none follow from the name. */
function subjectOf({ user = "", uid, groups = [], extra }: SubjectSpec): User {
  return { name: user, groups, ...(uid ? { uid } : {}), ...(extra ? { extra } : {}) };
}

async function answerAccess(
  { authorizer }: ReviewContext,
  resource: Resource,
  request: ApiRequest,
  { spec }: { spec: AccessSpec },
  user: User,
): Promise<ApiReply> {
  const { asked, errors } = askedBy(spec, user);
  const { allowed, reason } = await authorizer.judge(asked);
  const status = {
    allowed,
    ...(reason ? { reason } : {}),
    ...(errors.length > 0 ? { evaluationError: errors.join(", ") } : {}),
  };
  const { namespace } = request;
  return answer(resource, { ...(namespace ? { metadata: { namespace } } : {}), spec, status });
}

function bodyOf<T>(resource: Resource, request: ApiRequest): T {
  const { object } = decodeBody(resource.kind, request);
  return { spec: {}, ...object } as unknown as T;
}

function answer(resource: Resource, fields: object): ApiReply {
  const { kind, apiVersion } = resource.kind;
  return jsonReply(201, { kind, apiVersion, metadata: {}, ...fields });
}
