/**
 * CertificateSigningRequests: who asks is noted, what is asked for never changes, and each of
 * approval and status may set its own part only (k8s: registry/certificates/certificates/strategy.go).
 */

import type {
  CertificateSigningRequest,
  CertificateSigningRequestCondition,
  FieldError,
} from "../../../manifests/index.ts";
import {
  describeRequest,
  knownUsages,
  RequestError,
} from "../../../runtime/certificate-requests.ts";
import { userInfo } from "../authn/user.ts";
import type { Hooks } from "./hooks.ts";

const approvals: ReadonlySet<string> = new Set(["Approved", "Denied"]);
const leastSeconds = 600;

export const certificateRequests: Hooks<CertificateSigningRequest> = {
  prepareCreate: (request, { user }) => ({
    ...request,
    spec: { ...request.spec, ...userInfo(user) },
  }),

  prepareUpdate(request, old, { subresource, now }) {
    const kept = { ...request, spec: old.spec };
    if (subresource === "") return kept;
    const mine = ({ type }: CertificateSigningRequestCondition): boolean =>
      approvals.has(type) === (subresource === "approval");
    const before = old.status?.conditions ?? [];
    const conditions = [
      ...(request.status?.conditions ?? []).filter(mine),
      ...before.filter((condition) => !mine(condition)),
    ].map((condition) => stamped(condition, before, now));
    const { certificate } = (subresource === "approval" ? old : request).status ?? {};
    return { ...kept, status: { ...(certificate ? { certificate } : {}), conditions } };
  },

  check: (request, old) => (old ? checkApproval(request, old) : checkSpec(request)),
};

function stamped(
  condition: CertificateSigningRequestCondition,
  before: readonly CertificateSigningRequestCondition[],
  now: string,
): CertificateSigningRequestCondition {
  const same = before.find(({ type }) => type === condition.type);
  const lastTransitionTime = condition.lastTransitionTime ?? same?.lastTransitionTime ?? now;
  return { ...condition, lastUpdateTime: condition.lastUpdateTime ?? now, lastTransitionTime };
}

function checkSpec({ spec }: CertificateSigningRequest): FieldError[] {
  const errors: FieldError[] = [];
  const facts = describe(spec.request);
  if (typeof facts === "string") {
    errors.push(invalid("spec.request", spec.request, facts));
  }
  if (!spec.usages?.length) errors.push(required("spec.usages"));
  for (const [at, usage] of (spec.usages ?? []).entries()) {
    if (knownUsages.has(usage)) continue;
    const field = `spec.usages[${at}]`;
    errors.push({ reason: "FieldValueNotSupported", field, badValue: usage, detail: "" });
  }
  if (!spec.signerName) errors.push(required("spec.signerName"));
  else if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?\.[a-z0-9-]+\/\S+$/.test(spec.signerName)) {
    const detail =
      "must be a fully qualified domain and path of the form 'example.com/signer-name'";
    errors.push(invalid("spec.signerName", spec.signerName, detail));
  }
  if (spec.expirationSeconds !== undefined && spec.expirationSeconds < leastSeconds) {
    const detail = `may not specify a duration less than ${leastSeconds} seconds`;
    errors.push(invalid("spec.expirationSeconds", spec.expirationSeconds, detail));
  }
  return errors;
}

function checkApproval(
  request: CertificateSigningRequest,
  old: CertificateSigningRequest,
): FieldError[] {
  const errors: FieldError[] = [];
  const field = "status.conditions";
  const now = request.status?.conditions ?? [];
  for (const { type } of old.status?.conditions ?? []) {
    if (now.some((condition) => condition.type === type)) continue;
    const detail = `updates may not remove a condition of type "${type}"`;
    errors.push({ reason: "FieldValueForbidden", field, badValue: "", detail });
  }
  for (const [at, { type, status }] of now.entries()) {
    if (!approvals.has(type)) continue;
    if (status !== "True") {
      const detail = `must be "True" for the condition type "${type}"`;
      errors.push(invalid(`${field}[${at}].status`, status, detail));
    }
    if (now.slice(0, at).some((other) => approvals.has(other.type) && other.type !== type)) {
      const detail = "Approved and Denied conditions are mutually exclusive";
      errors.push(invalid(`${field}[${at}].type`, type, detail));
    }
  }
  return errors;
}

function describe(base64: string): ReturnType<typeof describeRequest> | string {
  try {
    return describeRequest(Buffer.from(base64 ?? "", "base64").toString());
  } catch (error) {
    if (error instanceof RequestError) return error.message;
    throw error;
  }
}

function invalid(field: string, badValue: unknown, detail: string): FieldError {
  return { reason: "FieldValueInvalid", field, badValue, detail };
}

function required(field: string): FieldError {
  return { reason: "FieldValueRequired", field, badValue: "", detail: "" };
}
