/** FlowSchemas and PriorityLevelConfigurations (k8s:pkg/apis/flowcontrol/validation/validation.go). */
import type {
  FlowcontrolSubject,
  FlowSchemaSpec,
  LimitedPriorityLevelConfiguration,
  LimitResponse,
  PolicyRulesWithSubjects,
  PriorityLevelConfiguration,
  QueuingConfiguration,
} from "../schema/types.generated.ts";
import { type FieldErrors, goList } from "../validation/field-error.ts";
import { dnsSubdomain, inRange } from "../validation/formats.ts";
import { format, oneOf, type RuleTable } from "../validation/rules.ts";

const MOST_PRECEDENCE = 10_000;
const MOST_QUEUES = 10_000_000;
const NOT_NEGATIVE = "must be a non-negative integer";

const verbs = (errors: FieldErrors, list: readonly string[], at: string) => {
  if (list.length === 0) errors.required(at, "verbs must contain at least one value");
  else starAlone(errors, list, at, "verbs");
};

export const flowRules: RuleTable = {
  "flowcontrol.v1.FlowSchemaSpec": {
    fields: { matchingPrecedence: precedence },
    whole: (errors, { distinguisherMethod }: FlowSchemaSpec, at) => {
      const type = distinguisherMethod?.type;
      if (type) oneOf("ByNamespace", "ByUser")(errors, type, `${at}.distinguisherMethod.type`);
    },
  },
  "flowcontrol.v1.PriorityLevelConfigurationReference": {
    required: { name: "must reference a priority level" },
    fields: { name: format(dnsSubdomain) },
  },
  "flowcontrol.v1.PolicyRulesWithSubjects": { whole: validateRules },
  "flowcontrol.v1.Subject": { whole: validateSubject },
  "flowcontrol.v1.ResourcePolicyRule": {
    fields: {
      verbs,
      apiGroups: supplied("resource rules must supply at least one api group", "api groups"),
      resources: supplied("resource rules must supply at least one resource", "resources"),
    },
    whole: (errors, rule: { clusterScope?: boolean; namespaces?: string[] }, at) => {
      if (rule.namespaces?.length || rule.clusterScope) return;
      const detail =
        "resource rules that are not cluster scoped must supply at least one namespace";
      errors.required(`${at}.namespaces`, detail);
    },
  },
  "flowcontrol.v1.NonResourcePolicyRule": {
    fields: {
      verbs,
      nonResourceURLs: supplied(
        "nonResourceURLs must contain at least one value",
        "non-resource URLs",
      ),
    },
  },
  "flowcontrol.v1.PriorityLevelConfiguration": { whole: validateLevel },
  "flowcontrol.v1.LimitedPriorityLevelConfiguration": { whole: validateLimited },
  "flowcontrol.v1.LimitResponse": { whole: validateResponse },
  "flowcontrol.v1.QueuingConfiguration": { whole: validateQueuing },
};

function starAlone(errors: FieldErrors, list: readonly string[], at: string, what: string): void {
  if (list.length < 2 || !list.includes("*")) return;
  errors.invalid(at, goList(list), `if '*' is present, must not specify other ${what}`);
}

function supplied(detail: string, what: string) {
  return (errors: FieldErrors, list: readonly string[], at: string) => {
    if (list.length === 0) errors.required(at, detail);
    else starAlone(errors, list, at, what);
  };
}

function precedence(errors: FieldErrors, value: number, at: string): void {
  if (value <= 0) errors.invalid(at, value, "must be a positive value");
  if (value > MOST_PRECEDENCE) {
    errors.invalid(at, value, `must not be greater than ${MOST_PRECEDENCE}`);
  }
}

function validateRules(errors: FieldErrors, rules: PolicyRulesWithSubjects, at: string): void {
  if (rules.subjects.length === 0) {
    errors.required(`${at}.subjects`, "subjects must contain at least one value");
  }
  if (rules.resourceRules?.length || rules.nonResourceRules?.length) return;
  errors.required(at, "at least one of resourceRules and nonResourceRules has to be non-empty");
}

const SUBJECTS = { Group: "group", ServiceAccount: "serviceAccount", User: "user" } as const;

function validateSubject(errors: FieldErrors, subject: FlowcontrolSubject, at: string): void {
  const wanted = SUBJECTS[subject.kind as keyof typeof SUBJECTS];
  if (!wanted) {
    errors.notSupported(`${at}.kind`, subject.kind, Object.keys(SUBJECTS));
    return;
  }
  for (const [kind, field] of Object.entries(SUBJECTS)) {
    if (field === wanted) {
      const detail = `${field} is required when subject kind is '${kind}'`;
      if (!subject[field]) errors.required(`${at}.${field}`, detail);
    } else if (subject[field]) {
      const detail = `${field} is forbidden when subject kind is not '${kind}'`;
      errors.forbidden(`${at}.${field}`, detail);
    }
  }
}

function validateLevel(errors: FieldErrors, { metadata, spec }: PriorityLevelConfiguration): void {
  if (!spec) return;
  const { type, limited, exempt } = spec;
  if (type !== "Exempt" && type !== "Limited") {
    errors.notSupported("spec.type", type, ["Exempt", "Limited"]);
    return;
  }
  const isExempt = metadata.name === "exempt";
  if (isExempt !== (type === "Exempt") && isExempt) {
    errors.invalid("spec.type", type, "type must be 'Exempt' if name is 'exempt'");
  } else if (isExempt !== (type === "Exempt")) {
    errors.invalid("spec.type", type, "type must be 'Limited' if name is not 'exempt'");
  }
  if (type === "Limited") {
    if (!limited) errors.required("spec.limited", "must not be empty when type is Limited");
    if (exempt) errors.forbidden("spec.exempt", "must be nil if the type is Limited");
  } else if (limited) errors.forbidden("spec.limited", "must be nil if the type is not Limited");
}

function validateLimited(
  errors: FieldErrors,
  limited: LimitedPriorityLevelConfiguration,
  at: string,
): void {
  const { nominalConcurrencyShares: shares, lendablePercent, borrowingLimitPercent } = limited;
  if (shares !== undefined && shares < 0) {
    errors.invalid(`${at}.nominalConcurrencyShares`, shares, NOT_NEGATIVE);
  }
  if (lendablePercent !== undefined) {
    const faults = inRange(lendablePercent, 0, 100);
    errors.invalidEach(`${at}.lendablePercent`, lendablePercent, faults);
  }
  if (borrowingLimitPercent !== undefined && borrowingLimitPercent < 0) {
    const detail = `if specified, ${NOT_NEGATIVE}`;
    errors.invalid(`${at}.borrowingLimitPercent`, borrowingLimitPercent, detail);
  }
}

function validateResponse(errors: FieldErrors, response: LimitResponse, at: string): void {
  const { type, queuing } = response;
  if (!type) return;
  if (type === "Queue") {
    const detail = "must not be empty if limitResponse.type is Limited";
    if (!queuing) errors.required(`${at}.queuing`, detail);
  } else if (type !== "Reject") errors.notSupported(`${at}.type`, type, ["Queue", "Reject"]);
  else if (queuing) {
    errors.forbidden(`${at}.queuing`, "must be nil if limitResponse.type is not Limited");
  }
}

function validateQueuing(errors: FieldErrors, queuing: QueuingConfiguration, at: string): void {
  const { queues = 0, handSize = 0, queueLengthLimit = 0 } = queuing;
  for (const [field, value] of Object.entries({ queueLengthLimit, queues, handSize })) {
    if (value <= 0) errors.invalid(`${at}.${field}`, value, "must be positive");
  }
  if (queues > MOST_QUEUES) {
    errors.invalid(`${at}.queues`, queues, `must not be greater than ${MOST_QUEUES}`);
  }
  if (handSize > queues) {
    const detail = `should not be greater than queues (${queues})`;
    errors.invalid(`${at}.handSize`, handSize, detail);
  }
}
