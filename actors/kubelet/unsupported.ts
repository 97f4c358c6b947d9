/**
 * The fields of a Pod that this node does not honour yet. A Pod that uses one stays Pending with
 * an Event that names it: nothing is ignored in silence. A field leaves this table when the code
 * that honours it comes in. What only the scheduler or the API reads is not here.
 */

import type { Container, Pod, Probe, Volume } from "../../manifests/index.ts";

type Check<T> = readonly [field: string, isUsed: (value: T) => unknown];

const podChecks: readonly Check<Pod["spec"]>[] = [
  ["spec.ephemeralContainers", (spec) => spec.ephemeralContainers?.length],
  ["spec.activeDeadlineSeconds", (spec) => spec.activeDeadlineSeconds !== undefined],
  ["spec.hostPID", (spec) => spec.hostPID],
  ["spec.hostIPC", (spec) => spec.hostIPC],
  ["spec.shareProcessNamespace", (spec) => spec.shareProcessNamespace],
  ["spec.imagePullSecrets", (spec) => spec.imagePullSecrets?.length],
  ["spec.runtimeClassName", (spec) => spec.runtimeClassName],
  ["spec.overhead", (spec) => Object.keys(spec.overhead ?? {}).length],
  ["spec.setHostnameAsFQDN", (spec) => spec.setHostnameAsFQDN],
  ["spec.os.name", (spec) => spec.os && spec.os.name !== "linux"],
  ["spec.hostUsers", (spec) => spec.hostUsers === false],
  ["spec.resourceClaims", (spec) => spec.resourceClaims?.length],
  ["spec.resources", (spec) => Object.keys(spec.resources ?? {}).length],
  ["spec.securityContext.seLinuxOptions", (spec) => spec.securityContext?.seLinuxOptions],
  ["spec.securityContext.windowsOptions", (spec) => spec.securityContext?.windowsOptions],
  [
    "spec.securityContext.supplementalGroups",
    (spec) => spec.securityContext?.supplementalGroups?.length,
  ],
  [
    "spec.securityContext.supplementalGroupsPolicy",
    (spec) => spec.securityContext?.supplementalGroupsPolicy,
  ],
  ["spec.securityContext.fsGroup", (spec) => spec.securityContext?.fsGroup !== undefined],
  ["spec.securityContext.sysctls", (spec) => spec.securityContext?.sysctls?.length],
  [
    "spec.securityContext.seccompProfile",
    (spec) => isCustomProfile(spec.securityContext?.seccompProfile),
  ],
  [
    "spec.securityContext.appArmorProfile",
    (spec) => isCustomProfile(spec.securityContext?.appArmorProfile),
  ],
];

const containerChecks: readonly Check<Container>[] = [
  ["restartPolicy", (container) => container.restartPolicy],
  ["volumeDevices", (container) => container.volumeDevices?.length],
  ["lifecycle.postStart", (container) => container.lifecycle?.postStart],
  ["lifecycle.preStop", (container) => container.lifecycle?.preStop],
  ["ports.hostPort", (container) => container.ports?.some(({ hostPort }) => hostPort)],
  ["resources.limits.ephemeral-storage", (it) => it.resources?.limits?.["ephemeral-storage"]],
  ["resources.claims", (container) => container.resources?.claims?.length],
  ["volumeMounts.subPathExpr", (it) => it.volumeMounts?.some(({ subPathExpr }) => subPathExpr)],
  [
    "volumeMounts.mountPropagation",
    (it) => it.volumeMounts?.some((mount) => (mount.mountPropagation ?? "None") !== "None"),
  ],
  [
    "volumeMounts.recursiveReadOnly",
    (it) =>
      it.volumeMounts?.some((mount) => (mount.recursiveReadOnly ?? "Disabled") !== "Disabled"),
  ],
  ["securityContext.seLinuxOptions", (container) => container.securityContext?.seLinuxOptions],
  ["securityContext.windowsOptions", (container) => container.securityContext?.windowsOptions],
  [
    "securityContext.procMount",
    (container) => (container.securityContext?.procMount ?? "Default") !== "Default",
  ],
  [
    "securityContext.seccompProfile",
    (container) => isCustomProfile(container.securityContext?.seccompProfile),
  ],
  [
    "securityContext.appArmorProfile",
    (container) => isCustomProfile(container.securityContext?.appArmorProfile),
  ],
];

const probeChecks: readonly Check<Probe>[] = [
  ["grpc", (probe) => probe.grpc],
  ["terminationGracePeriodSeconds", (probe) => probe.terminationGracePeriodSeconds !== undefined],
];

/** The sources that `volumes/plan.ts` can make. */
const volumeSources: ReadonlySet<string> = new Set([
  "emptyDir",
  "hostPath",
  "configMap",
  "secret",
  "downwardAPI",
  "projected",
]);

/** Sandboxing weaker or other than the engine's default. */
function isCustomProfile(profile: { type: string } | undefined): boolean {
  return profile !== undefined && profile.type !== "RuntimeDefault";
}

/** Paths of the fields in use that are not honoured; empty for nearly every Pod. */
export function unsupportedFields({ spec }: Pod): string[] {
  const fields = used(podChecks, spec, "");
  for (const volume of spec.volumes ?? []) fields.push(...unsupportedVolume(volume));
  // With the host's network a host port is the container's own.
  const checks = containerChecks.filter(
    ([name]) => !(spec.hostNetwork && name.includes("hostPort")),
  );
  const groups = { initContainers: spec.initContainers ?? [], containers: spec.containers };
  for (const [group, containers] of Object.entries(groups)) {
    for (const container of containers) {
      const path = `spec.${group}[${container.name}].`;
      fields.push(...used(checks, container, path));
      for (const kind of ["livenessProbe", "readinessProbe", "startupProbe"] as const) {
        const probe = container[kind];
        if (probe) fields.push(...used(probeChecks, probe, `${path}${kind}.`));
      }
    }
  }
  return fields;
}

function used<T>(checks: readonly Check<T>[], value: T, path: string): string[] {
  return checks.filter(([, isUsed]) => Boolean(isUsed(value))).map(([field]) => path + field);
}

function unsupportedVolume(volume: Volume): string[] {
  const path = `spec.volumes[${volume.name}].`;
  const fields = Object.keys(volume).filter((key) => key !== "name" && !volumeSources.has(key));
  const medium = volume.emptyDir?.medium ?? "";
  if (medium !== "" && medium !== "Memory") fields.push("emptyDir.medium");
  // Of a tmpfs it is the size; of a folder nobody watches it.
  if (medium === "" && volume.emptyDir?.sizeLimit) fields.push("emptyDir.sizeLimit");
  if (volume.projected?.sources?.some((source) => source.clusterTrustBundle)) {
    fields.push("projected.sources.clusterTrustBundle");
  }
  return fields.map((field) => path + field);
}
