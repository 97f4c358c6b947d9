/** Nodes, namespaces, configuration, access and events (k8s:pkg/printers/internalversion/printers.go). */
import type {
  APIService,
  CertificateSigningRequest,
  ClusterRoleBinding,
  ConfigMap,
  Event,
  EventsEvent,
  Lease,
  MutatingWebhookConfiguration,
  Namespace,
  Node,
  PriorityClass,
  ResourceQuota,
  RoleBinding,
  RuntimeClass,
  Secret,
  ServiceAccount,
  Subject,
  ValidatingWebhookConfiguration,
} from "../schema/types.generated.ts";
import { humanDuration } from "./duration.ts";
import {
  age,
  type Cell,
  columns,
  orNone,
  type Printer,
  type PrinterTable,
  since,
} from "./printer.ts";

const bindings: Printer<RoleBinding | ClusterRoleBinding> = {
  columns: columns("Name", "Role", "Age", "+Users", "+Groups", "+ServiceAccounts"),
  cells: (binding, nowMs) => [
    binding.metadata.name,
    `${binding.roleRef.kind}/${binding.roleRef.name}`,
    age(binding, nowMs),
    subjects(binding.subjects, "User"),
    subjects(binding.subjects, "Group"),
    subjects(binding.subjects, "ServiceAccount"),
  ],
};

const webhooks: Printer<ValidatingWebhookConfiguration | MutatingWebhookConfiguration> = {
  columns: columns("Name", "#Webhooks", "Age"),
  cells: (configuration, nowMs) => [
    configuration.metadata.name,
    configuration.webhooks?.length ?? 0,
    age(configuration, nowMs),
  ],
};

const EVENT_COLUMNS = columns(
  "Last Seen",
  "Type",
  "Reason",
  "Object",
  "+Subobject",
  "+Source",
  "Message",
  "+First Seen",
  "+#Count",
  "+Name",
);

export const clusterPrinters: PrinterTable = {
  "core.v1.Node": {
    columns: columns(
      "Name",
      "Status",
      "Roles",
      "Age",
      "Version",
      "+Internal-IP",
      "+External-IP",
      "+OS-Image",
      "+Kernel-Version",
      "+Container-Runtime",
    ),
    cells: nodeCells,
  },
  "core.v1.Namespace": {
    columns: columns("Name", "Status", "Age"),
    cells: (namespace: Namespace, nowMs) => [
      namespace.metadata.name,
      namespace.status?.phase ?? "",
      age(namespace, nowMs),
    ],
  },
  "core.v1.ConfigMap": {
    columns: columns("Name", "Data", "Age"),
    cells: (config: ConfigMap, nowMs) => [
      config.metadata.name,
      count(config.data) + count(config.binaryData),
      age(config, nowMs),
    ],
  },
  "core.v1.Secret": {
    columns: columns("Name", "Type", "Data", "Age"),
    cells: (secret: Secret, nowMs) => [
      secret.metadata.name,
      secret.type ?? "",
      count(secret.data),
      age(secret, nowMs),
    ],
  },
  "core.v1.ServiceAccount": {
    columns: columns("Name", "Secrets", "Age"),
    cells: (account: ServiceAccount, nowMs) => [
      account.metadata.name,
      account.secrets?.length ?? 0,
      age(account, nowMs),
    ],
  },
  "core.v1.ResourceQuota": {
    columns: columns("Name", "Request", "Limit", "Age"),
    cells: quotaCells,
  },
  "core.v1.Event": { columns: EVENT_COLUMNS, cells: eventCells },
  "events.v1.Event": { columns: EVENT_COLUMNS, cells: newEventCells },
  "coordination.v1.Lease": {
    columns: columns("Name", "Holder", "Age"),
    cells: (lease: Lease, nowMs) => [
      lease.metadata.name,
      lease.spec.holderIdentity ?? "",
      age(lease, nowMs),
    ],
  },
  "rbac.v1.RoleBinding": bindings,
  "rbac.v1.ClusterRoleBinding": bindings,
  "admissionregistration.v1.ValidatingWebhookConfiguration": webhooks,
  "admissionregistration.v1.MutatingWebhookConfiguration": webhooks,
  "scheduling.v1.PriorityClass": {
    columns: columns("Name", "#Value", "Global-Default", "Age", "PreemptionPolicy"),
    cells: (priority: PriorityClass, nowMs) => [
      priority.metadata.name,
      priority.value,
      priority.globalDefault ?? false,
      age(priority, nowMs),
      priority.preemptionPolicy ?? "",
    ],
  },
  "node.v1.RuntimeClass": {
    columns: columns("Name", "Handler", "Age"),
    cells: (runtime: RuntimeClass, nowMs) => [
      runtime.metadata.name,
      runtime.handler,
      age(runtime, nowMs),
    ],
  },
  "certificates.v1.CertificateSigningRequest": {
    columns: columns("Name", "Age", "SignerName", "Requestor", "RequestedDuration", "Condition"),
    cells: requestCells,
  },
  "apiregistration.v1.APIService": {
    columns: columns("Name", "Service", "Available", "Age"),
    cells: (service: APIService, nowMs) => {
      const ref = service.spec.service;
      const available = service.status?.conditions?.find(({ type }) => type === "Available");
      const why = available?.status === "True" ? "" : ` (${available?.reason ?? ""})`;
      return [
        service.metadata.name,
        ref ? `${ref.namespace}/${ref.name}` : "Local",
        available ? `${available.status}${why}` : "Unknown",
        age(service, nowMs),
      ];
    },
  },
};

function count(map: object | undefined): number {
  return Object.keys(map ?? {}).length;
}

const ROLE_PREFIX = "node-role.kubernetes.io/";

function nodeCells(node: Node, nowMs: number): Cell[] {
  const { metadata, spec, status } = node;
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  const states = [ready ? (ready.status === "True" ? "Ready" : "NotReady") : "Unknown"];
  if (spec.unschedulable) states.push("SchedulingDisabled");
  const roles = Object.entries(metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(ROLE_PREFIX)) return key.slice(ROLE_PREFIX.length) || [];
    return key === "kubernetes.io/role" && value ? value : [];
  });
  const address = (type: string) =>
    orNone(status?.addresses?.find((candidate) => candidate.type === type)?.address);
  const info = status?.nodeInfo;
  return [
    metadata.name,
    states.join(","),
    orNone([...new Set(roles)].sort().join(",")),
    age(node, nowMs),
    info?.kubeletVersion ?? "",
    address("InternalIP"),
    address("ExternalIP"),
    info?.osImage || "<unknown>",
    info?.kernelVersion || "<unknown>",
    info?.containerRuntimeVersion || "<unknown>",
  ];
}

/** Resources whose name begins with `limits` are limits, the others requests. */
function quotaCells(quota: ResourceQuota, nowMs: number): Cell[] {
  const { hard = {}, used = {} } = quota.status ?? {};
  const show = (isLimit: boolean) =>
    Object.keys(hard)
      .filter((name) => name.startsWith("limits") === isLimit)
      .sort()
      .map((name) => `${name}: ${used[name] ?? "0"}/${hard[name]}`)
      .join(", ");
  return [quota.metadata.name, show(false), show(true), age(quota, nowMs)];
}

function eventCells(event: Event, nowMs: number): Cell[] {
  const { involvedObject: object, source, series } = event;
  const first = event.firstTimestamp ?? event.eventTime;
  const last = series ? series.lastObservedTime : (event.lastTimestamp ?? first);
  const component = source?.component || event.reportingComponent;
  const host = source?.host || event.reportingInstance;
  return [
    since(last, nowMs),
    event.type ?? "",
    event.reason ?? "",
    object.name
      ? `${object.kind?.toLowerCase()}/${object.name}`
      : (object.kind ?? "").toLowerCase(),
    object.fieldPath ?? "",
    [component, host].filter((part) => part).join(", "),
    event.message?.trim() ?? "",
    since(first, nowMs),
    series?.count ?? (event.count || 1),
    event.metadata.name,
  ];
}

function newEventCells(event: EventsEvent, nowMs: number): Cell[] {
  return eventCells(
    {
      metadata: event.metadata,
      involvedObject: event.regarding ?? {},
      reason: event.reason,
      message: event.note,
      type: event.type,
      source: event.deprecatedSource,
      firstTimestamp: event.deprecatedFirstTimestamp,
      lastTimestamp: event.deprecatedLastTimestamp,
      count: event.deprecatedCount,
      eventTime: event.eventTime,
      series: event.series,
      reportingComponent: event.reportingController,
      reportingInstance: event.reportingInstance,
    },
    nowMs,
  );
}

function subjects(list: readonly Subject[] | undefined, kind: string): string {
  const named = (list ?? []).filter((subject) => subject.kind === kind);
  return named
    .map(({ name, namespace }) => (kind === "ServiceAccount" ? `${namespace}/${name}` : name))
    .join(", ");
}

function requestCells(request: CertificateSigningRequest, nowMs: number): Cell[] {
  const { metadata, spec, status } = request;
  const has = (type: string) => status?.conditions?.some((condition) => condition.type === type);
  const decision = has("Denied") ? "Denied" : has("Approved") ? "Approved" : "Pending";
  const issued = status?.certificate ? ",Issued" : "";
  const seconds = spec.expirationSeconds;
  return [
    metadata.name,
    age(request, nowMs),
    spec.signerName || "<none>",
    spec.username ?? "",
    seconds === undefined ? "<none>" : humanDuration(seconds * 1000),
    `${decision}${has("Failed") ? ",Failed" : ""}${issued}`,
  ];
}
