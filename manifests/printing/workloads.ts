/** The kinds that make pods (k8s:pkg/printers/internalversion/printers.go). */
import type {
  ControllerRevision,
  CronJob,
  DaemonSet,
  Deployment,
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerV1,
  Job,
  MetricSpec,
  MetricStatus,
  PodDisruptionBudget,
  PodTemplate,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from "../schema/types.generated.ts";
import { humanDuration } from "./duration.ts";
import {
  age,
  type Cell,
  columns,
  containerCells,
  orNone,
  type PrinterTable,
  showLabels,
  showSelector,
  since,
} from "./printer.ts";

const REPLICA_COLUMNS = ["#Desired", "#Current", "#Ready", "Age"];
const POD_COLUMNS = ["+Containers", "+Images", "+Selector"];

export const workloadPrinters: PrinterTable = {
  "apps.v1.Deployment": {
    columns: columns("Name", "Ready", "#Up-to-date", "#Available", "Age", ...POD_COLUMNS),
    cells: ({ metadata, spec, status }: Deployment, nowMs) => [
      metadata.name,
      `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
      status?.updatedReplicas ?? 0,
      status?.availableReplicas ?? 0,
      age({ metadata }, nowMs),
      ...containerCells(spec.template.spec),
      showSelector(spec.selector),
    ],
  },
  "apps.v1.ReplicaSet": {
    columns: columns("Name", ...REPLICA_COLUMNS, ...POD_COLUMNS),
    cells: (set: ReplicaSet, nowMs) => [
      ...replicaCells(set, nowMs),
      ...containerCells(set.spec.template?.spec),
      showSelector(set.spec.selector),
    ],
  },
  "core.v1.ReplicationController": {
    columns: columns("Name", ...REPLICA_COLUMNS, ...POD_COLUMNS),
    cells: (controller: ReplicationController, nowMs) => [
      ...replicaCells(controller, nowMs),
      ...containerCells(controller.spec.template?.spec),
      showLabels(controller.spec.selector),
    ],
  },
  "apps.v1.StatefulSet": {
    columns: columns("Name", "Ready", "Age", "+Containers", "+Images"),
    cells: ({ metadata, spec, status }: StatefulSet, nowMs) => [
      metadata.name,
      `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
      age({ metadata }, nowMs),
      ...containerCells(spec.template.spec),
    ],
  },
  "apps.v1.DaemonSet": {
    columns: columns(
      "Name",
      "#Desired",
      "#Current",
      "#Ready",
      "#Up-to-date",
      "#Available",
      "Node Selector",
      "Age",
      ...POD_COLUMNS,
    ),
    cells: ({ metadata, spec, status }: DaemonSet, nowMs) => [
      metadata.name,
      status?.desiredNumberScheduled ?? 0,
      status?.currentNumberScheduled ?? 0,
      status?.numberReady ?? 0,
      status?.updatedNumberScheduled ?? 0,
      status?.numberAvailable ?? 0,
      showLabels(spec.template.spec?.nodeSelector),
      age({ metadata }, nowMs),
      ...containerCells(spec.template.spec),
      showSelector(spec.selector),
    ],
  },
  "core.v1.PodTemplate": {
    columns: columns("Name", "Containers", "Images", "Pod Labels"),
    cells: ({ metadata, template }: PodTemplate) => [
      metadata.name,
      ...containerCells(template?.spec),
      showLabels(template?.metadata?.labels),
    ],
  },
  "apps.v1.ControllerRevision": {
    columns: columns("Name", "Controller", "#Revision", "Age"),
    cells: (revision: ControllerRevision, nowMs) => {
      const owner = revision.metadata.ownerReferences?.find(({ controller }) => controller);
      const group = owner?.apiVersion.includes("/") ? `.${owner.apiVersion.split("/")[0]}` : "";
      const shown = owner && `${owner.kind.toLowerCase()}${group}/${owner.name}`;
      return [revision.metadata.name, orNone(shown), revision.revision, age(revision, nowMs)];
    },
  },
  "batch.v1.Job": {
    columns: columns("Name", "Status", "Completions", "Duration", "Age", ...POD_COLUMNS),
    cells: jobCells,
  },
  "batch.v1.CronJob": {
    columns: columns(
      "Name",
      "Schedule",
      "Timezone",
      "Suspend",
      "#Active",
      "Last Schedule",
      "Age",
      ...POD_COLUMNS,
    ),
    cells: cronJobCells,
  },
  "policy.v1.PodDisruptionBudget": {
    columns: columns("Name", "Min Available", "Max Unavailable", "#Allowed Disruptions", "Age"),
    cells: ({ metadata, spec, status }: PodDisruptionBudget, nowMs) => [
      metadata.name,
      String(spec.minAvailable ?? "N/A"),
      String(spec.maxUnavailable ?? "N/A"),
      status?.disruptionsAllowed ?? 0,
      age({ metadata }, nowMs),
    ],
  },
  "autoscaling.v2.HorizontalPodAutoscaler": {
    columns: columns("Name", "Reference", "Targets", "MinPods", "MaxPods", "#Replicas", "Age"),
    cells: autoscalerCells,
  },
  "autoscaling.v1.HorizontalPodAutoscaler": {
    columns: columns("Name", "Reference", "Targets", "MinPods", "MaxPods", "#Replicas", "Age"),
    cells: ({ metadata, spec, status }: HorizontalPodAutoscalerV1, nowMs) => [
      metadata.name,
      `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`,
      spec.targetCPUUtilizationPercentage === undefined
        ? "<none>"
        : `cpu: ${status?.currentCPUUtilizationPercentage ?? "<unknown>"}${
            status?.currentCPUUtilizationPercentage === undefined ? "" : "%"
          }/${spec.targetCPUUtilizationPercentage}%`,
      String(spec.minReplicas ?? "<unset>"),
      String(spec.maxReplicas),
      status?.currentReplicas ?? 0,
      age({ metadata }, nowMs),
    ],
  },
};

function replicaCells(owner: ReplicaSet | ReplicationController, nowMs: number): Cell[] {
  const { metadata, spec, status } = owner;
  return [
    metadata.name,
    spec.replicas ?? 0,
    status?.replicas ?? 0,
    status?.readyReplicas ?? 0,
    age(owner, nowMs),
  ];
}

/** The first that holds names the job's state. */
const JOB_STATES: [condition: string, shown: string][] = [
  ["Complete", "Complete"],
  ["Failed", "Failed"],
  ["", "Terminating"],
  ["Suspended", "Suspended"],
  ["FailureTarget", "FailureTarget"],
  ["SuccessCriteriaMet", "SuccessCriteriaMet"],
];

function jobCells(job: Job, nowMs: number): Cell[] {
  const { metadata, spec, status } = job;
  const holds = (type: string) =>
    type === ""
      ? metadata.deletionTimestamp !== undefined
      : status?.conditions?.some((c) => c.type === type && c.status === "True");
  const state = JOB_STATES.find(([type]) => holds(type))?.[1] ?? "Running";
  const succeeded = status?.succeeded ?? 0;
  const parallel = spec.parallelism ?? 0;
  const wanted = spec.completions ?? (parallel > 1 ? `1 of ${parallel}` : 1);
  const start = status?.startTime ? Date.parse(status.startTime) : undefined;
  const end = status?.completionTime ? Date.parse(status.completionTime) : nowMs;
  return [
    metadata.name,
    state,
    `${succeeded}/${wanted}`,
    start === undefined ? "" : humanDuration(end - start),
    age(job, nowMs),
    ...containerCells(spec.template.spec),
    showSelector(spec.selector),
  ];
}

function cronJobCells(cron: CronJob, nowMs: number): Cell[] {
  const { metadata, spec, status } = cron;
  return [
    metadata.name,
    spec.schedule,
    spec.timeZone ?? "<none>",
    spec.suspend === undefined ? "<unset>" : spec.suspend ? "True" : "False",
    status?.active?.length ?? 0,
    status?.lastScheduleTime ? since(status.lastScheduleTime, nowMs) : "<none>",
    age(cron, nowMs),
    ...containerCells(spec.jobTemplate.spec?.template.spec),
    showSelector(spec.jobTemplate.spec?.selector),
  ];
}

const MOST_METRICS = 2;

function autoscalerCells(hpa: HorizontalPodAutoscaler, nowMs: number): Cell[] {
  const { metadata, spec, status } = hpa;
  const metrics = spec.metrics ?? [];
  const shown = metrics
    .slice(0, MOST_METRICS)
    .map((metric, i) => metricTarget(metric, status?.currentMetrics?.[i]));
  const more = metrics.length - shown.length;
  const targets = shown.join(", ") + (more > 0 ? ` + ${more} more...` : "");
  return [
    metadata.name,
    `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`,
    orNone(targets),
    String(spec.minReplicas ?? "<unset>"),
    String(spec.maxReplicas),
    status?.currentReplicas ?? 0,
    age(hpa, nowMs),
  ];
}

function metricTarget(metric: MetricSpec, current: MetricStatus | undefined): string {
  const source =
    metric.resource ?? metric.containerResource ?? metric.pods ?? metric.object ?? metric.external;
  const seen =
    current?.resource ??
    current?.containerResource ??
    current?.pods ??
    current?.object ??
    current?.external;
  if (!source) return "<unknown type>";
  const { averageUtilization, averageValue, value } = source.target;
  const name = "name" in source ? `${source.name}: ` : "";
  if (averageUtilization !== undefined) {
    const now = seen?.current.averageUtilization;
    return `${name}${now === undefined ? "<unknown>" : `${now}%`}/${averageUtilization}%`;
  }
  if (averageValue !== undefined) {
    return `${name}${seen?.current.averageValue ?? "<unknown>"}/${averageValue}${name ? "" : " (avg)"}`;
  }
  return `${name}${seen?.current.value ?? "<unknown>"}/${value ?? "<auto>"}`;
}
