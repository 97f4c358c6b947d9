/** Defaults of the kinds that say who may do what (k8s:pkg/apis/rbac/v1, admissionregistration/v1, flowcontrol/v1). */
import type {
  ExemptPriorityLevelConfiguration,
  FlowSchemaSpec,
  LimitedPriorityLevelConfiguration,
  MatchResources,
  MutatingWebhook,
  QueuingConfiguration,
  RoleRef,
  Rule,
  Subject,
  ValidatingWebhook,
} from "../schema/types.generated.ts";
import type { DefaultTable } from "./default-table.ts";

const RBAC_GROUP = "rbac.authorization.k8s.io";

export const accessDefaults: DefaultTable = {
  "rbac.v1.RoleRef": (ref: RoleRef) => {
    ref.apiGroup ||= RBAC_GROUP;
  },
  "rbac.v1.Subject": (subject: Subject) => {
    if (subject.kind === "User" || subject.kind === "Group") subject.apiGroup ||= RBAC_GROUP;
  },
  "admissionregistration.v1.ValidatingWebhook": setWebhook,
  "admissionregistration.v1.MutatingWebhook": (webhook: MutatingWebhook) => {
    setWebhook(webhook);
    webhook.reinvocationPolicy ??= "Never";
  },
  "admissionregistration.v1.RuleWithOperations": (rule: Rule) => {
    rule.scope ??= "*";
  },
  "admissionregistration.v1.NamedRuleWithOperations": (rule: Rule) => {
    rule.scope ??= "*";
  },
  "admissionregistration.v1.ServiceReference": setHttpsPort,
  "admissionregistration.v1.MatchResources": (match: MatchResources) => {
    match.matchPolicy ??= "Equivalent";
    match.namespaceSelector ??= {};
    match.objectSelector ??= {};
  },
  "admissionregistration.v1.ValidatingAdmissionPolicySpec": (spec: { failurePolicy?: string }) => {
    spec.failurePolicy ??= "Fail";
  },
  "apiextensions.v1.ServiceReference": setHttpsPort,
  "apiregistration.v1.ServiceReference": setHttpsPort,
  "flowcontrol.v1.FlowSchemaSpec": (spec: FlowSchemaSpec) => {
    spec.matchingPrecedence ||= 1000;
  },
  "flowcontrol.v1.LimitedPriorityLevelConfiguration": (
    limited: LimitedPriorityLevelConfiguration,
  ) => {
    limited.nominalConcurrencyShares ??= 30;
    limited.lendablePercent ??= 0;
  },
  "flowcontrol.v1.ExemptPriorityLevelConfiguration": (exempt: ExemptPriorityLevelConfiguration) => {
    exempt.nominalConcurrencyShares ??= 0;
    exempt.lendablePercent ??= 0;
  },
  "flowcontrol.v1.QueuingConfiguration": (queuing: QueuingConfiguration) => {
    queuing.handSize ||= 8;
    queuing.queues ||= 64;
    queuing.queueLengthLimit ||= 50;
  },
};

function setWebhook(webhook: ValidatingWebhook | MutatingWebhook): void {
  webhook.failurePolicy ??= "Fail";
  webhook.matchPolicy ??= "Equivalent";
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= 10;
}

function setHttpsPort(reference: { port?: number }): void {
  reference.port ??= 443;
}
