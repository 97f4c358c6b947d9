/** Defaults of the kinds that make pods (k8s:pkg/apis/{apps/v1,batch/v1,autoscaling/v2}/defaults.go). */
import type {
  CronJobSpec,
  DaemonSetSpec,
  DeploymentSpec,
  HorizontalPodAutoscalerSpec,
  HPAScalingRules,
  Job,
  JobSpec,
  ReplicationController,
  StatefulSetSpec,
} from "../schema/types.generated.ts";
import type { DefaultTable } from "./default-table.ts";

const HISTORY = 10;
const NO_LIMIT = 2 ** 31 - 1;

export const workloadDefaults: DefaultTable = {
  "apps.v1.DeploymentSpec": setDeployment,
  "apps.v1.ReplicaSetSpec": setReplicas,
  "apps.v1.StatefulSetSpec": setStatefulSet,
  "apps.v1.DaemonSetSpec": setDaemonSet,
  "core.v1.ReplicationController": setReplicationController,
  "batch.v1.Job": setJobLabels,
  "batch.v1.JobSpec": setJob,
  "batch.v1.CronJobSpec": setCronJob,
  "batch.v1.PodFailurePolicyOnPodConditionsPattern": (pattern: { status: string }) => {
    pattern.status ||= "True";
  },
  "autoscaling.v1.HorizontalPodAutoscalerSpec": (spec: { minReplicas?: number }) => {
    spec.minReplicas ??= 1;
  },
  "autoscaling.v2.HorizontalPodAutoscalerSpec": setAutoscaler,
};

function setReplicas(spec: { replicas?: number }): void {
  spec.replicas ??= 1;
}

function setDeployment(spec: DeploymentSpec): void {
  setReplicas(spec);
  spec.strategy ??= {};
  spec.strategy.type ||= "RollingUpdate";
  if (spec.strategy.type === "RollingUpdate") {
    spec.strategy.rollingUpdate = {
      maxUnavailable: "25%",
      maxSurge: "25%",
      ...spec.strategy.rollingUpdate,
    };
  }
  spec.revisionHistoryLimit ??= HISTORY;
  spec.progressDeadlineSeconds ??= 600;
}

function setStatefulSet(spec: StatefulSetSpec): void {
  setReplicas(spec);
  spec.podManagementPolicy ||= "OrderedReady";
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= "RollingUpdate";
  if (spec.updateStrategy.type === "RollingUpdate") {
    spec.updateStrategy.rollingUpdate = { partition: 0, ...spec.updateStrategy.rollingUpdate };
  }
  spec.persistentVolumeClaimRetentionPolicy ??= {};
  spec.persistentVolumeClaimRetentionPolicy.whenDeleted ||= "Retain";
  spec.persistentVolumeClaimRetentionPolicy.whenScaled ||= "Retain";
  spec.revisionHistoryLimit ??= HISTORY;
  for (const claim of spec.volumeClaimTemplates ?? []) {
    claim.apiVersion ??= "v1";
    claim.kind ??= "PersistentVolumeClaim";
  }
}

function setDaemonSet(spec: DaemonSetSpec): void {
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= "RollingUpdate";
  if (spec.updateStrategy.type === "RollingUpdate") {
    spec.updateStrategy.rollingUpdate = {
      maxUnavailable: 1,
      maxSurge: 0,
      ...spec.updateStrategy.rollingUpdate,
    };
  }
  spec.revisionHistoryLimit ??= HISTORY;
}

function setReplicationController(controller: ReplicationController): void {
  const { spec, metadata } = controller;
  setReplicas(spec);
  const labels = spec.template?.metadata?.labels;
  if (!labels) return;
  if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
  if (Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
}

function setJobLabels(job: Job): void {
  const labels = job.spec.template.metadata?.labels;
  if (labels && Object.keys(job.metadata.labels ?? {}).length === 0) {
    job.metadata.labels = { ...labels };
  }
}

function setJob(spec: JobSpec): void {
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : NO_LIMIT;
  spec.completionMode ??= "NonIndexed";
  spec.suspend ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? "Failed" : "TerminatingOrFailed";
}

function setCronJob(spec: CronJobSpec): void {
  spec.concurrencyPolicy ||= "Allow";
  spec.suspend ??= false;
  spec.successfulJobsHistoryLimit ??= 3;
  spec.failedJobsHistoryLimit ??= 1;
}

const SCALE_UP: HPAScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: "Max",
  policies: [
    { type: "Pods", value: 4, periodSeconds: 15 },
    { type: "Percent", value: 100, periodSeconds: 15 },
  ],
};

const SCALE_DOWN: HPAScalingRules = {
  selectPolicy: "Max",
  policies: [{ type: "Percent", value: 100, periodSeconds: 15 }],
};

function setAutoscaler(spec: HorizontalPodAutoscalerSpec): void {
  spec.minReplicas ??= 1;
  if (!spec.metrics?.length) {
    const target = { type: "Utilization", averageUtilization: 80 };
    spec.metrics = [{ type: "Resource", resource: { name: "cpu", target } }];
  }
  if (!spec.behavior) return;
  spec.behavior.scaleUp = { ...structuredClone(SCALE_UP), ...spec.behavior.scaleUp };
  spec.behavior.scaleDown = { ...structuredClone(SCALE_DOWN), ...spec.behavior.scaleDown };
}
