/**
 * Errors of the Kubernetes API: each carries the Status that clients see.
 * Reasons, codes and messages as k8s.io/apimachinery/pkg/api/errors phrases them.
 */

export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

export interface ApiStatus {
  kind: "Status";
  apiVersion: "v1";
  metadata: Record<string, unknown>;
  status: "Success" | "Failure";
  message?: string;
  reason?: string;
  details?: StatusDetails;
  code: number;
}

/** What an error names: `deployments.apps "web"`. */
export interface ResourceName {
  group: string;
  resource: string;
}

/** Reason to HTTP code, of all the reasons that we give. */
const codes = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  Gone: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;

export type StatusReason = keyof typeof codes;

export class ApiError extends Error {
  readonly status: ApiStatus;
  constructor(status: ApiStatus, options?: ErrorOptions) {
    super(status.message ?? status.reason ?? "unknown", options);
    this.name = "ApiError";
    this.status = status;
  }
  get reason(): string | undefined {
    return this.status.reason;
  }
  get code(): number {
    return this.status.code;
  }
}

export function apiError(
  reason: StatusReason,
  message: string,
  details?: StatusDetails,
  options?: ErrorOptions,
): ApiError {
  return new ApiError(
    {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message,
      reason,
      ...(details ? { details } : {}),
      code: codes[reason],
    },
    options,
  );
}

export function notFound(of: ResourceName, name: string): ApiError {
  return apiError("NotFound", `${qualified(of)} "${name}" not found`, detailsOf(of, name));
}

export function alreadyExists(of: ResourceName, name: string): ApiError {
  return apiError(
    "AlreadyExists",
    `${qualified(of)} "${name}" already exists`,
    detailsOf(of, name),
  );
}

export function conflict(of: ResourceName, name: string, why: string): ApiError {
  const message = `Operation cannot be fulfilled on ${qualified(of)} "${name}": ${why}`;
  return apiError("Conflict", message, detailsOf(of, name));
}

export function forbidden(of: ResourceName, name: string, why: string): ApiError {
  const message = name
    ? `${qualified(of)} "${name}" is forbidden: ${why}`
    : `${qualified(of)} is forbidden: ${why}`;
  return apiError("Forbidden", message, detailsOf(of, name));
}

export const modifiedMessage =
  "the object has been modified; please apply your changes to the latest version and try again";

export const isNotFound = reasonIs("NotFound");
export const isAlreadyExists = reasonIs("AlreadyExists");
export const isConflict = reasonIs("Conflict");
export const isExpired = reasonIs("Expired", "Gone");
export const isInvalid = reasonIs("Invalid");
export const isForbidden = reasonIs("Forbidden");

function reasonIs(...reasons: StatusReason[]): (error: unknown) => error is ApiError {
  return (error): error is ApiError =>
    error instanceof ApiError && reasons.some((reason) => error.reason === reason);
}

function qualified({ group, resource }: ResourceName): string {
  return group ? `${resource}.${group}` : resource;
}

/** Upstream puts the resource, not the kind, into `details.kind`; clients rely on it. */
function detailsOf({ group, resource }: ResourceName, name: string): StatusDetails {
  return { ...(name ? { name } : {}), ...(group ? { group } : {}), kind: resource };
}
