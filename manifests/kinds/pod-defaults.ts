/** What a Pod, or a pod template, is given when it does not say (k8s:pkg/apis/core/v1/defaults.go). */
import type {
  Container,
  HTTPGetAction,
  ObjectFieldSelector,
  Pod,
  PodSpec,
  Probe,
  ResourceRequirements,
  Volume,
} from "../schema/types.generated.ts";
import type { DefaultTable } from "./default-table.ts";

/** Read for all, write for the owner: 0644. */
const FILE_MODE = 0o644;

export const podDefaults: DefaultTable = {
  "core.v1.Pod": setPod,
  "core.v1.PodSpec": setPodSpec,
  "core.v1.Container": setContainer,
  "core.v1.EphemeralContainer": setContainer,
  "core.v1.Probe": setProbe,
  "core.v1.HTTPGetAction": setHttpGet,
  "core.v1.Volume": setVolume,
  "core.v1.SecretVolumeSource": setFileMode,
  "core.v1.ConfigMapVolumeSource": setFileMode,
  "core.v1.DownwardAPIVolumeSource": setFileMode,
  "core.v1.ProjectedVolumeSource": setFileMode,
  "core.v1.ServiceAccountTokenProjection": (token: { expirationSeconds?: number }) => {
    token.expirationSeconds ??= 3600;
  },
  "core.v1.HostPathVolumeSource": (hostPath: { type?: string }) => {
    hostPath.type ??= "";
  },
  "core.v1.ObjectFieldSelector": (selector: ObjectFieldSelector) => {
    selector.apiVersion ||= "v1";
  },
};

/** What only a Pod itself gets; a template stays as it was written until a Pod is made from it. */
function setPod(pod: Pod): void {
  const { spec } = pod;
  spec.enableServiceLinks ??= true;
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    if (container.resources?.limits) requestWhatIsLimited(container.resources);
    if (!spec.hostNetwork) continue;
    for (const port of container.ports ?? []) port.hostPort ||= port.containerPort;
  }
}

function requestWhatIsLimited(resources: ResourceRequirements): void {
  resources.requests = { ...resources.limits, ...resources.requests };
}

function setPodSpec(spec: PodSpec): void {
  spec.restartPolicy ||= "Always";
  spec.terminationGracePeriodSeconds ??= 30;
  spec.dnsPolicy ||= "ClusterFirst";
  spec.securityContext ??= {};
  spec.schedulerName ||= "default-scheduler";
  // The account's field once had another name; each says what the other does, for old clients.
  if (spec.serviceAccount) spec.serviceAccountName ||= spec.serviceAccount;
  if (spec.serviceAccountName) spec.serviceAccount = spec.serviceAccountName;
}

function setContainer(container: Container): void {
  container.terminationMessagePath ||= "/dev/termination-log";
  container.terminationMessagePolicy ||= "File";
  container.imagePullPolicy ||= isLatest(container.image ?? "") ? "Always" : "IfNotPresent";
}

/** An image without tag and digest means `latest`. A colon before the last slash belongs to a registry's port. */
function isLatest(image: string): boolean {
  if (image.includes("@")) return false;
  const name = image.slice(image.lastIndexOf("/") + 1);
  const colon = name.indexOf(":");
  return colon < 0 || name.slice(colon + 1) === "latest";
}

function setProbe(probe: Probe): void {
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
}

function setHttpGet(action: HTTPGetAction): void {
  action.path ||= "/";
  action.scheme ||= "HTTP";
}

/** A volume without a source is an empty directory. */
function setVolume(volume: Volume): void {
  if (Object.keys(volume).length === 1) volume.emptyDir = {};
}

function setFileMode(source: { defaultMode?: number }): void {
  source.defaultMode ??= FILE_MODE;
}
