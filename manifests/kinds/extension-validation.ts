/** What extends admission: webhooks and policies (k8s:pkg/apis/admissionregistration/validation). */
import type {
  MatchCondition,
  MutatingWebhook,
  NamedRuleWithOperations,
  ParamRef,
  RuleWithOperations,
  ValidatingAdmissionPolicyBindingSpec,
  ValidatingAdmissionPolicySpec,
  ValidatingWebhook,
  Validation,
  WebhookClientConfig,
} from "../schema/types.generated.ts";
import { type FieldErrors, goList } from "../validation/field-error.ts";
import {
  cIdentifier,
  dns1035Label,
  dnsSubdomain,
  domainName,
  pathSegment,
  portNumber,
  qualifiedName,
} from "../validation/formats.ts";
import { atMost, format, oneOf, type RuleTable, unique } from "../validation/rules.ts";

const REVIEW_VERSIONS = ["v1", "v1beta1"];
const MOST_TIMEOUT = 30;
const MOST_CONDITIONS = 64;
const URL_FORM = "desired format: https://host[:port]/path";
const REASONS = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];

const conditions = (errors: FieldErrors, list: readonly MatchCondition[], at: string) => {
  atMost(MOST_CONDITIONS)(errors, list, at);
  unique<MatchCondition>(({ name }) => name, ".name")(errors, list, at);
};

const webhooks = {
  fields: {
    webhooks: unique<ValidatingWebhook | MutatingWebhook>(({ name }) => name, ".name"),
  },
};

const webhook = {
  unlisted: ["sideEffects"],
  mayBeEmpty: ["sideEffects"],
  fields: {
    name: format((name) => domainName(name, 3)),
    timeoutSeconds: (errors: FieldErrors, seconds: number, at: string) => {
      if (seconds >= 1 && seconds <= MOST_TIMEOUT) return;
      const detail = `the timeout value must be between 1 and ${MOST_TIMEOUT} seconds`;
      errors.invalid(at, seconds, detail);
    },
    matchConditions: conditions,
  },
  whole: validateWebhook,
};

const PATH = "'*' is present, must not specify other";

export const extensionRules: RuleTable = {
  "admissionregistration.v1.ValidatingWebhookConfiguration": webhooks,
  "admissionregistration.v1.MutatingWebhookConfiguration": webhooks,
  "admissionregistration.v1.ValidatingWebhook": webhook,
  "admissionregistration.v1.MutatingWebhook": webhook,
  "admissionregistration.v1.RuleWithOperations": { whole: validateOperations },
  "admissionregistration.v1.NamedRuleWithOperations": { whole: validateOperations },
  "admissionregistration.v1.WebhookClientConfig": { whole: validateClient },
  "admissionregistration.v1.ServiceReference": {
    required: { name: "service name is required", namespace: "service namespace is required" },
    fields: {
      port: (errors, port: number, at) => {
        for (const fault of portNumber(port))
          errors.invalid(at, port, `port is not valid: ${fault}`);
      },
      path: servicePath,
    },
  },
  "admissionregistration.v1.MatchCondition": {
    fields: { name: format(qualifiedName) },
  },
  "admissionregistration.v1.ValidatingAdmissionPolicySpec": {
    required: { matchConstraints: "" },
    fields: { matchConditions: conditions },
    whole: validatePolicy,
  },
  "admissionregistration.v1.ParamKind": { required: { apiVersion: "", kind: "" } },
  "admissionregistration.v1.Validation": {
    required: { expression: "expression is not specified" },
    fields: { reason: oneOf(...REASONS) },
    whole: validateMessage,
  },
  "admissionregistration.v1.Variable": {
    required: { name: "name is not specified", expression: "expression is not specified" },
    fields: {
      name: (errors, name: string, at) => {
        if (cIdentifier(name).length > 0) {
          errors.invalid(at, name, "name is not a valid CEL identifier");
        }
      },
    },
  },
  "admissionregistration.v1.AuditAnnotation": {
    required: { valueExpression: "valueExpression is not specified" },
    fields: { key: format(qualifiedName) },
  },
  "admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec": {
    required: { policyName: "", validationActions: "" },
    fields: { policyName: format(dnsSubdomain) },
    whole: validateActions,
  },
  "admissionregistration.v1.ParamRef": { whole: validateParameters },
};

/** A list that holds the star means all, so that nothing else is to be said in it. */
function starAlone(errors: FieldErrors, list: readonly string[], at: string, what: string): void {
  if (list.length === 0) errors.required(at);
  else if (list.length > 1 && list.includes("*")) {
    errors.invalid(at, goList(list), `if ${PATH} ${what}`);
  }
}

function validateOperations(
  errors: FieldErrors,
  rule: RuleWithOperations | NamedRuleWithOperations,
  at: string,
): void {
  const { operations = [], apiGroups = [], apiVersions = [], resources = [] } = rule;
  starAlone(errors, operations, `${at}.operations`, "operations");
  starAlone(errors, apiGroups, `${at}.apiGroups`, "API groups");
  starAlone(errors, apiVersions, `${at}.apiVersions`, "API versions");
  apiVersions.forEach((version, i) => {
    if (version === "") errors.required(`${at}.apiVersions[${i}]`);
  });
  validateResources(errors, resources, `${at}.resources`);
}

function validateResources(errors: FieldErrors, resources: readonly string[], at: string): void {
  if (resources.length === 0) errors.required(at);
  const all = new Set(resources);
  resources.forEach((resource, i) => {
    if (resource === "") {
      errors.required(`${at}[${i}]`);
      return;
    }
    const [name = "", sub] = resource.split("/");
    if (sub !== undefined && sub !== "*" && all.has(`${name}/*`)) {
      const detail = `if '${name}/*' is present, must not specify ${resource}`;
      errors.invalid(`${at}[${i}]`, resource, detail);
    }
    if (sub !== undefined && name !== "*" && all.has(`*/${sub}`)) {
      const detail = `if '*/${sub}' is present, must not specify ${resource}`;
      errors.invalid(`${at}[${i}]`, resource, detail);
    }
  });
  if (resources.length > 1 && all.has("*/*")) {
    const detail = "if '*/*' is present, must not specify other resources";
    errors.invalid(at, goList(resources), detail);
  }
  if (all.has("*") && resources.some((resource) => !resource.includes("/") && resource !== "*")) {
    const detail = "if '*' is present, must not specify other resources without subresources";
    errors.invalid(at, goList(resources), detail);
  }
}

function validateWebhook(
  errors: FieldErrors,
  { sideEffects, admissionReviewVersions: versions }: ValidatingWebhook | MutatingWebhook,
  at: string,
): void {
  const effects = ["None", "NoneOnDryRun"];
  if (sideEffects === undefined) {
    errors.required(`${at}.sideEffects`, `must specify one of ${effects.join(", ")}`);
  } else if (!effects.includes(sideEffects)) {
    errors.notSupported(`${at}.sideEffects`, sideEffects, effects);
  }
  const field = `${at}.admissionReviewVersions`;
  const known = REVIEW_VERSIONS.join(", ");
  if (versions.length === 0) errors.required(field, `must specify one of ${known}`);
  versions.forEach((version, i) => {
    if (versions.indexOf(version) < i) {
      errors.invalid(`${field}[${i}]`, version, "duplicate version");
    } else errors.invalidEach(`${field}[${i}]`, version, dns1035Label(version));
  });
  if (versions.length === 0 || versions.some((version) => REVIEW_VERSIONS.includes(version)))
    return;
  errors.invalid(field, goList(versions), `must include at least one of ${known}`);
}

function validateClient(errors: FieldErrors, client: WebhookClientConfig, at: string): void {
  const { url, service } = client;
  if ((url === undefined) === (service === undefined)) {
    errors.required(at, "exactly one of url or service is required");
  }
  if (url !== undefined) validateUrl(errors, url, `${at}.url`);
}

function validateUrl(errors: FieldErrors, text: string, at: string): void {
  if (!URL.canParse(text)) {
    errors.required(at, `url must be a valid URL: ${JSON.stringify(text)}; ${URL_FORM}`);
    return;
  }
  const url = new URL(text);
  const scheme = url.protocol.slice(0, -1);
  if (scheme !== "https") {
    const detail = `'https' is the only allowed URL scheme; ${URL_FORM}`;
    errors.invalid(at, scheme, detail);
  }
  if (url.host === "") errors.invalid(at, "", `host must be specified; ${URL_FORM}`);
  if (url.username || url.password) {
    const detail = `user information is not permitted in the URL; ${URL_FORM}`;
    errors.invalid(at, url.username, detail);
  }
  if (url.hash) {
    errors.invalid(at, url.hash.slice(1), "fragments are not permitted in the URL");
  }
  if (url.search) {
    errors.invalid(at, url.search.slice(1), "query parameters are not permitted in the URL");
  }
}

function servicePath(errors: FieldErrors, path: string, at: string): void {
  if (path === "" || path === "/") return;
  if (path === "//") {
    errors.invalid(at, path, "segment[0] may not be empty");
    return;
  }
  if (!path.startsWith("/")) {
    errors.invalid(at, path, "must start with a '/'");
    return;
  }
  const segments = path.slice(1).replace(/\/$/, "").split("/");
  segments.forEach((segment, i) => {
    if (segment === "") errors.invalid(at, path, `segment[${i}] may not be empty`);
    else {
      for (const fault of dnsSubdomain(segment))
        errors.invalid(at, path, `segment[${i}]: ${fault}`);
    }
  });
}

function validatePolicy(
  errors: FieldErrors,
  spec: ValidatingAdmissionPolicySpec,
  at: string,
): void {
  if (spec.matchConstraints && !spec.matchConstraints.resourceRules?.length) {
    errors.required(`${at}.matchConstraints.resourceRules`);
  }
  if (spec.validations?.length || spec.auditAnnotations?.length) return;
  const detail = "validations or auditAnnotations must contain at least one item";
  errors.required(`${at}.validations`, detail);
  errors.required(`${at}.auditAnnotations`, detail);
}

function validateMessage(errors: FieldErrors, { message }: Validation, at: string): void {
  if (!message) return;
  if (message.trim() === "") {
    errors.invalid(`${at}.message`, message, "message must be non-empty if specified");
  } else if (/[\r\n]/.test(message.trim())) {
    errors.invalid(`${at}.message`, message, "message must not contain line breaks");
  }
}

function validateActions(
  errors: FieldErrors,
  { validationActions: actions = [] }: ValidatingAdmissionPolicyBindingSpec,
  at: string,
): void {
  const field = `${at}.validationActions`;
  actions.forEach((action, i) => {
    if (actions.indexOf(action) < i) errors.duplicate(`${field}[${i}]`, action);
  });
  if (!actions.includes("Deny") || !actions.includes("Warn")) return;
  const rule = "must not contain both Deny and Warn";
  const why =
    "repeating the same validation failure information in the API response and headers serves no purpose";
  errors.invalid(field, goList(actions), `${rule} (${why})`);
}

function validateParameters(errors: FieldErrors, ref: ParamRef, at: string): void {
  const { name, selector, parameterNotFoundAction: action } = ref;
  if (name) {
    errors.invalidEach(`${at}.name`, name, pathSegment(name));
    if (selector) errors.forbidden(`${at}.name`, "name and selector are mutually exclusive");
  } else if (!selector) {
    errors.required(at, "one of name or selector must be specified");
  }
  if (action === undefined) errors.required(`${at}.parameterNotFoundAction`);
  else oneOf("Allow", "Deny")(errors, action, `${at}.parameterNotFoundAction`);
}
