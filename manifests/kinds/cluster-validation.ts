/** Nodes, namespaces, classes, leases and events: the small kinds that a cluster is run by. */
import type {
  ControllerRevision,
  Event,
  LeaseSpec,
  Namespace,
  Node,
  NodeSpec,
  PriorityClass,
  RuntimeClass,
  Taint,
} from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import { cidr, dnsLabel, isIPv4, labelValue, qualifiedName } from "../validation/formats.ts";
import { validateLabels } from "../validation/metadata.ts";
import {
  each,
  format,
  holds,
  nonNegative,
  oneOf,
  optional,
  type RuleTable,
} from "../validation/rules.ts";
import { IMMUTABLE, sameValue, type UpdateValidatorTable } from "../validation/validator.ts";
import { TAINT_EFFECTS } from "./placement-validation.ts";
import { validateAmount } from "./resource-validation.ts";

/** Above it only the system's own classes. */
const MOST_PRIORITY = 1_000_000_000;
const SYSTEM_CLASSES: Record<string, number> = {
  "system-cluster-critical": 2_000_000_000,
  "system-node-critical": 2_000_001_000,
};
const STANDARD_FINALIZERS = new Set(["kubernetes", "orphan", "foregroundDeletion"]);
/** Where the events of what has no namespace may be. */
const CLUSTER_EVENTS = new Set<string | undefined>(["default", "kube-system"]);
const MOST_EVENT_WORD = 128;
const MOST_NOTE = 1024;

export const clusterRules: RuleTable = {
  "core.v1.NamespaceSpec": { fields: { finalizers: each(finalizer) } },
  "core.v1.Node": { whole: validateNode },
  "core.v1.NodeSpec": { whole: validateNodeSpec },
  "core.v1.Taint": {
    unlisted: ["effect"],
    fields: {
      key: format(qualifiedName),
      value: optional(labelValue),
      effect: oneOf(...TAINT_EFFECTS),
    },
  },
  "core.v1.Event": { mayBeEmpty: ["metadata"], whole: validateEvent },
  "apps.v1.ControllerRevision": {
    required: { data: "data is mandatory" },
    fields: { revision: nonNegative },
  },
  "scheduling.v1.PriorityClass": { whole: validatePriorityClass },
  "node.v1.RuntimeClass": { required: { handler: "" }, fields: { handler: format(dnsLabel) } },
  "node.v1.Scheduling": {
    fields: {
      nodeSelector: (errors, labels: Record<string, string>, at) =>
        validateLabels(errors, labels, at),
    },
  },
  "node.v1.Overhead": {
    fields: {
      podFixed: (errors, amounts: Record<string, string>, at) => {
        for (const [name, quantity] of Object.entries(amounts)) {
          validateAmount(errors, name, quantity, `${at}[${name}]`);
        }
      },
    },
  },
  "coordination.v1.LeaseSpec": {
    fields: {
      leaseDurationSeconds: holds((seconds: number) => seconds > 0, "must be greater than 0"),
      leaseTransitions: nonNegative,
    },
    whole: (errors, { strategy, preferredHolder }: LeaseSpec, at) => {
      if (preferredHolder === undefined || strategy) return;
      const detail = "may only be specified when `strategy` is defined";
      errors.forbidden(`${at}.preferredHolder`, detail);
    },
  },
};

export const clusterUpdateValidators: UpdateValidatorTable = {
  "core.v1.Node": validateNodeUpdate,
  "apps.v1.ControllerRevision": (errors, now: ControllerRevision, old: ControllerRevision) => {
    if (!sameValue(now.data, old.data)) errors.invalid("data", now.data, IMMUTABLE);
  },
  "scheduling.v1.PriorityClass": (errors, now: PriorityClass, old: PriorityClass) => {
    if (now.value !== old.value) errors.forbidden("value", "may not be changed in an update.");
    if (now.preemptionPolicy !== old.preemptionPolicy) {
      errors.invalid("preemptionPolicy", now.preemptionPolicy, IMMUTABLE);
    }
  },
  "node.v1.RuntimeClass": (errors, now: RuntimeClass, old: RuntimeClass) => {
    if (now.handler !== old.handler) errors.invalid("handler", now.handler, IMMUTABLE);
  },
  "core.v1.Namespace": (errors, { status }: Namespace, { metadata }: Namespace) => {
    if (metadata.deletionTimestamp || status?.phase !== "Terminating") return;
    const detail = "may only be 'Active' if `deletionTimestamp` is empty";
    errors.invalid("status.phase", status.phase, detail);
  },
};

function finalizer(errors: FieldErrors, name: string, at: string): void {
  const faults = qualifiedName(name);
  errors.invalidEach(at, name, faults);
  if (faults.length > 0 || name.includes("/") || STANDARD_FINALIZERS.has(name)) return;
  errors.invalid(at, name, "name is neither a standard finalizer name nor is it fully qualified");
}

function validateNode(errors: FieldErrors, { status }: Node): void {
  for (const list of ["capacity", "allocatable"] as const) {
    for (const [name, quantity] of Object.entries(status?.[list] ?? {})) {
      validateAmount(errors, name, quantity, `status.${list}[${name}]`);
    }
  }
}

function validateNodeSpec(errors: FieldErrors, spec: NodeSpec, path: string): void {
  validateTaints(errors, spec.taints ?? [], `${path}.taints`);
  const ranges = spec.podCIDRs ?? [];
  ranges.forEach((range, i) => {
    errors.invalidEach(`${path}.podCIDRs[${i}]`, range, cidr(range));
  });
  const families = ranges.map((range) => isIPv4(range.split("/")[0] ?? ""));
  if (ranges.length > 2 || (ranges.length === 2 && families[0] === families[1])) {
    const detail = "may specify no more than one CIDR for each IP family";
    errors.invalid(`${path}.podCIDRs`, ranges, detail);
  }
}

function validateTaints(errors: FieldErrors, taints: readonly Taint[], path: string): void {
  const seen = new Set<string>();
  taints.forEach((taint, i) => {
    const at = `${path}[${i}]`;
    const pair = `${taint.key}:${taint.effect}`;
    const detail = "taints must be unique by key and effect pair";
    if (seen.has(pair)) errors.add("FieldValueDuplicate", at, taint, detail);
    seen.add(pair);
  });
}

/** A node's addresses are given once; whoever runs it may label, taint and measure it. */
function validateNodeUpdate(errors: FieldErrors, { spec, status }: Node, old: Node): void {
  const addresses = new Set<string>();
  status?.addresses?.forEach((address, i) => {
    const key = `${address.type}/${address.address}`;
    if (addresses.has(key)) errors.duplicate(`status.addresses[${i}]`, address);
    addresses.add(key);
  });
  const before = old.spec?.podCIDRs ?? [];
  if (before.length > 0 && !sameValue(spec?.podCIDRs ?? [], before)) {
    const detail = 'node updates may not change podCIDR except from "" to valid';
    errors.forbidden("spec.podCIDRs", detail);
  }
  if (old.spec?.providerID && spec?.providerID !== old.spec.providerID) {
    const detail = 'node updates may not change providerID except from "" to valid';
    errors.forbidden("spec.providerID", detail);
  }
}

function validatePriorityClass(errors: FieldErrors, priorityClass: PriorityClass): void {
  const { value } = priorityClass;
  const { name } = priorityClass.metadata;
  if (name.startsWith("system-")) {
    const known = SYSTEM_CLASSES[name];
    if (known === value && !priorityClass.globalDefault) return;
    const why =
      known === undefined
        ? `${name} is not a known system priority class`
        : known !== value
          ? `value of ${name} PriorityClass must be ${known}`
          : `globalDefault of ${name} PriorityClass must be false`;
    const rule = "priority class names with 'system-' prefix are reserved for system use only";
    errors.forbidden("metadata.name", `${rule}. error: ${why}`);
  } else if (value > MOST_PRIORITY) {
    const detail = `maximum allowed value of a user defined priority is ${MOST_PRIORITY}`;
    errors.forbidden("value", detail);
  }
}

/** One that says when it happened is of the newer form, in which nothing may be left open. */
function validateEvent(errors: FieldErrors, event: Event): void {
  const { metadata, involvedObject } = event;
  const place = involvedObject.namespace ?? "";
  const isThere =
    place === "" ? CLUSTER_EVENTS.has(metadata.namespace) : place === metadata.namespace;
  if (!isThere) {
    errors.invalid("involvedObject.namespace", place, "does not match event.namespace");
  }
  if (!event.eventTime) return;
  const words = {
    reportingController: event.reportingComponent,
    reportingInstance: event.reportingInstance,
    action: event.action,
    reason: event.reason,
  };
  for (const [field, value] of Object.entries(words)) {
    if (!value) errors.required(field);
    else if (field === "reportingController") {
      errors.invalidEach(field, value, qualifiedName(value));
    } else if (value.length > MOST_EVENT_WORD) {
      errors.invalid(field, "", `can have at most ${MOST_EVENT_WORD} characters`);
    }
  }
  if ((event.message ?? "").length > MOST_NOTE) {
    errors.invalid("message", "", `can have at most ${MOST_NOTE} characters`);
  }
}
