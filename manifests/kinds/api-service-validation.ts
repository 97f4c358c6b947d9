/** APIServices (k8s:kube-aggregator/pkg/apis/apiregistration/validation/validation.go). */
import type { APIService, APIServiceSpec } from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import { dns1035Label, dnsSubdomain, portNumber } from "../validation/formats.ts";
import type { RuleTable } from "../validation/rules.ts";

export const apiServiceRules: RuleTable = {
  "apiregistration.v1.APIService": { whole: validateApiService },
};

const RANGES = { groupPriorityMinimum: 20_000, versionPriority: 1000 } as const;

/** Its name says which group and version it serves, so that none is served twice. */
function validateApiService(errors: FieldErrors, { metadata, spec }: APIService): void {
  const { group = "", version = "" }: Partial<APIServiceSpec> = spec ?? {};
  const name = `${version}.${group}`;
  if (metadata.name !== name) {
    const detail = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(name)}`;
    errors.invalid("metadata.name", metadata.name, detail);
  }
  if (!spec) return;
  if (group) errors.invalidEach("spec.group", group, dnsSubdomain(group));
  if (!version) errors.required("spec.version");
  else errors.invalidEach("spec.version", version, dns1035Label(version));
  for (const [field, most] of Object.entries(RANGES)) {
    const value = spec[field as keyof typeof RANGES];
    if (value > 0 && value <= most) continue;
    errors.invalid(`spec.${field}`, value, `must be positive and less than ${most}`);
  }
  const { service, insecureSkipTLSVerify: insecure, caBundle } = spec;
  if (!service) {
    if (caBundle) {
      const detail = "local APIServices may not have a caBundle";
      errors.invalid("spec.caBundle", `${caBundle.length} bytes`, detail);
    }
    if (insecure) {
      const detail = "local APIServices may not have insecureSkipTLSVerify";
      errors.invalid("spec.insecureSkipTLSVerify", insecure, detail);
    }
    return;
  }
  if (!service.namespace) errors.required("spec.service.namespace");
  if (!service.name) errors.required("spec.service.name");
  if (service.port !== undefined) {
    for (const fault of portNumber(service.port)) {
      errors.invalid("spec.service.port", service.port, `port is not valid: ${fault}`);
    }
  }
  if (insecure && caBundle) {
    const detail = "may not be true if caBundle is present";
    errors.invalid("spec.insecureSkipTLSVerify", insecure, detail);
  }
}
