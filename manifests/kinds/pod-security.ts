/**
 * The Pod Security Standards: what a level forbids, and the words that say so.
 * After k8s.io/pod-security-admission/policy; https://kubernetes.io/docs/concepts/security/pod-security-standards/.
 */

import type { Container, ObjectMeta, PodSpec, SecurityContext } from "../schema/types.generated.ts";

export type SecurityLevel = "privileged" | "baseline" | "restricted";

/** What is judged: a pod, or the template of one. */
export interface Subject {
  readonly metadata: Pick<ObjectMeta, "annotations">;
  readonly spec: PodSpec;
}

export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

interface Check {
  readonly level: Exclude<SecurityLevel, "privileged">;
  /** The first minor version of Kubernetes whose standards have it. */
  readonly since?: number;
  /** A check of the level below that this one says more strictly. */
  readonly replaces?: string;
  judge(subject: Subject, minor: number): Violation | undefined;
}

/** `minor`: of the standards' version; Infinity for the latest. */
export function judgePod(subject: Subject, level: SecurityLevel, minor: number): Violation[] {
  if (level === "privileged") return [];
  const chosen = Object.entries(checks).filter(
    ([, check]) =>
      (check.level === "baseline" || level === "restricted") && minor >= (check.since ?? 0),
  );
  const replaced = new Set(chosen.map(([, check]) => check.replaces));
  return chosen
    .filter(([id]) => !replaced.has(id))
    .flatMap(([, check]) => check.judge(subject, minor) ?? []);
}

/** `a (b), c (d)`, as all refusals and warnings list them. */
export function formatViolations(violations: readonly Violation[]): string {
  return violations.map(({ reason, detail }) => `${reason} (${detail})`).join(", ");
}

function containersOf({ spec }: Subject): Container[] {
  const ephemeral = (spec.ephemeralContainers ?? []) as unknown as Container[];
  return [...(spec.initContainers ?? []), ...spec.containers, ...ephemeral];
}

function namesWhere(subject: Subject, holds: (container: Container) => boolean): string[] {
  return containersOf(subject)
    .filter(holds)
    .map(({ name }) => name);
}

function quoted(names: readonly string[]): string {
  return names.map((name) => JSON.stringify(name)).join(", ");
}

/** `container "a"`, `containers "a", "b"`. */
function many(word: string, names: readonly string[]): string {
  return `${word}${names.length === 1 ? "" : "s"} ${quoted(names)}`;
}

/** `pod and container "a"`, whichever of them set it; undefined when none did. */
function setters(pod: boolean, names: readonly string[]): string | undefined {
  const parts = [...(pod ? ["pod"] : []), ...(names.length > 0 ? [many("container", names)] : [])];
  return parts.length > 0 ? parts.join(" and ") : undefined;
}

/** A field that the pod sets for all, and a container for itself. */
function badField<T>(
  subject: Subject,
  read: (context: SecurityContext) => T | undefined,
  isBad: (value: T) => boolean,
): { by: string | undefined; values: T[] } {
  const own = (context: unknown) => (context ? read(context as SecurityContext) : undefined);
  const ofPod = own(subject.spec.securityContext);
  const bad = containersOf(subject).flatMap(({ name, securityContext }) => {
    const value = own(securityContext);
    return value !== undefined && isBad(value) ? [{ name, value }] : [];
  });
  const podIsBad = ofPod !== undefined && isBad(ofPod);
  const by = setters(
    podIsBad,
    bad.map(({ name }) => name),
  );
  const values = [...(podIsBad ? [ofPod] : []), ...bad.map(({ value }) => value)];
  return { by, values: [...new Set(values)] };
}

function some(reason: string, detail: string | undefined): Violation | undefined {
  return detail ? { reason, detail } : undefined;
}

function withNames(reason: string, names: readonly string[], rest: string): Violation | undefined {
  return some(reason, names.length > 0 ? `${many("container", names)} ${rest}` : undefined);
}

function isWindows({ spec }: Subject, minor: number): boolean {
  return minor >= 25 && spec.os?.name === "windows";
}

const defaultCapabilities = new Set([
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
]);

function addedBeyond(subject: Subject, allowed: ReadonlySet<string>): string | undefined {
  const beyond = (container: Container) =>
    (container.securityContext?.capabilities?.add ?? []).filter((name) => !allowed.has(name));
  const names = namesWhere(subject, (container) => beyond(container).length > 0);
  const capabilities = [...new Set(containersOf(subject).flatMap(beyond))].sort();
  if (names.length === 0) return undefined;
  const what = `must not include ${quoted(capabilities)} in securityContext.capabilities.add`;
  return `${many("container", names)} ${what}`;
}

/** Sysctls that a kernel keeps per namespace, and since which version they count as safe. */
const safeSysctls: Readonly<Record<string, number>> = {
  "kernel.shm_rmid_forced": 0,
  "net.ipv4.ip_local_port_range": 0,
  "net.ipv4.ip_unprivileged_port_start": 0,
  "net.ipv4.tcp_syncookies": 0,
  "net.ipv4.ping_group_range": 0,
  "net.ipv4.ip_local_reserved_ports": 27,
  "net.ipv4.tcp_keepalive_time": 29,
  "net.ipv4.tcp_fin_timeout": 29,
  "net.ipv4.tcp_keepalive_intvl": 29,
  "net.ipv4.tcp_keepalive_probes": 29,
  "net.ipv4.tcp_rmem": 32,
  "net.ipv4.tcp_wmem": 32,
};

const restrictedVolumeSources = new Set([
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "persistentVolumeClaim",
  "projected",
  "secret",
]);

const seLinuxTypes = new Set(["", "container_t", "container_init_t", "container_kvm_t"]);
const appArmorPrefix = "container.apparmor.security.beta.kubernetes.io/";

/** In the order in which they are told: the levels, and their names within each. */
const checks: Readonly<Record<string, Check>> = {
  appArmorProfile: {
    level: "baseline",
    judge(subject) {
      const { by, values } = badField(
        subject,
        ({ appArmorProfile }) => appArmorProfile?.type,
        (type) => type !== "RuntimeDefault" && type !== "Localhost",
      );
      const old = Object.entries(subject.metadata.annotations ?? {}).filter(
        ([key, value]) =>
          key.startsWith(appArmorPrefix) &&
          value !== "" &&
          value !== "runtime/default" &&
          !value.startsWith("localhost/"),
      );
      const details = [
        ...(by ? [`${by} must not set AppArmor profile type to ${quoted(values)}`] : []),
        ...old.map(([key, value]) => `${key}=${JSON.stringify(value)}`),
      ];
      const count = values.length + old.length;
      return some(`forbidden AppArmor profile${count === 1 ? "" : "s"}`, details.join(", "));
    },
  },
  capabilitiesBaseline: {
    level: "baseline",
    judge: (subject) => some("non-default capabilities", addedBeyond(subject, defaultCapabilities)),
  },
  hostNamespaces: {
    level: "baseline",
    judge({ spec }) {
      const fields = ["hostNetwork", "hostPID", "hostIPC"] as const;
      const set = fields.filter((field) => spec[field]);
      return some("host namespaces", set.map((field) => `${field}=true`).join(", "));
    },
  },
  hostPathVolumes: {
    level: "baseline",
    judge({ spec }) {
      const names = (spec.volumes ?? []).filter(({ hostPath }) => hostPath).map(({ name }) => name);
      return some("hostPath volumes", names.length > 0 ? many("volume", names) : undefined);
    },
  },
  hostPorts: {
    level: "baseline",
    judge(subject) {
      const portsOf = ({ ports }: Container) =>
        (ports ?? []).flatMap(({ hostPort }) => hostPort || []);
      const names = namesWhere(subject, (container) => portsOf(container).length > 0);
      if (names.length === 0) return undefined;
      const ports = [...new Set(containersOf(subject).flatMap(portsOf))].sort((a, b) => a - b);
      const uses = names.length === 1 ? "uses" : "use";
      const word = ports.length === 1 ? "hostPort" : "hostPorts";
      return some("hostPort", `${many("container", names)} ${uses} ${word} ${ports.join(", ")}`);
    },
  },
  privileged: {
    level: "baseline",
    judge: (subject) =>
      withNames(
        "privileged",
        namesWhere(subject, ({ securityContext }) => securityContext?.privileged === true),
        "must not set securityContext.privileged=true",
      ),
  },
  procMount: {
    level: "baseline",
    judge(subject) {
      const bad = ({ securityContext }: Container) =>
        securityContext?.procMount && securityContext.procMount !== "Default";
      const names = namesWhere(subject, (container) => Boolean(bad(container)));
      return withNames("procMount", names, 'must not set securityContext.procMount to "Unmasked"');
    },
  },
  seLinuxOptions: {
    level: "baseline",
    judge(subject) {
      const { by, values } = badField(
        subject,
        ({ seLinuxOptions }) => seLinuxOptions,
        ({ type, user, role }) => !seLinuxTypes.has(type ?? "") || Boolean(user) || Boolean(role),
      );
      const types = [...new Set(values.map(({ type }) => type ?? ""))].filter(
        (type) => !seLinuxTypes.has(type),
      );
      const data = [
        ...(types.length > 0 ? [`type${types.length === 1 ? "" : "s"} ${quoted(types)}`] : []),
        ...(values.some(({ user }) => user) ? ["user may not be set"] : []),
        ...(values.some(({ role }) => role) ? ["role may not be set"] : []),
      ];
      const detail = `${by} set forbidden securityContext.seLinuxOptions: ${data.join("; ")}`;
      return some("seLinuxOptions", by ? detail : undefined);
    },
  },
  seccompBaseline: {
    level: "baseline",
    since: 19,
    judge: (subject) => badSeccomp(subject),
  },
  sysctls: {
    level: "baseline",
    judge({ spec }, minor) {
      const names = (spec.securityContext?.sysctls ?? []).map(({ name }) => name);
      const bad = names.filter((name) => !((safeSysctls[name] ?? Infinity) <= minor));
      return some(`forbidden sysctl${bad.length === 1 ? "" : "s"}`, bad.join(", "));
    },
  },
  windowsHostProcess: {
    level: "baseline",
    judge(subject) {
      const { by } = badField(
        subject,
        ({ windowsOptions }) => windowsOptions?.hostProcess,
        (hostProcess) => hostProcess,
      );
      const what = "must not set securityContext.windowsOptions.hostProcess=true";
      return some("hostProcess", by ? `${by} ${what}` : undefined);
    },
  },
  allowPrivilegeEscalation: {
    level: "restricted",
    since: 8,
    judge(subject, minor) {
      if (isWindows(subject, minor)) return undefined;
      const names = namesWhere(
        subject,
        ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false,
      );
      const what = "must set securityContext.allowPrivilegeEscalation=false";
      return withNames("allowPrivilegeEscalation != false", names, what);
    },
  },
  capabilitiesRestricted: {
    level: "restricted",
    since: 22,
    replaces: "capabilitiesBaseline",
    judge(subject, minor) {
      if (isWindows(subject, minor)) return undefined;
      const names = namesWhere(
        subject,
        ({ securityContext }) => !securityContext?.capabilities?.drop?.includes("ALL"),
      );
      const keeps = 'must set securityContext.capabilities.drop=["ALL"]';
      const details = [
        ...(names.length > 0 ? [`${many("container", names)} ${keeps}`] : []),
        ...[addedBeyond(subject, new Set(["NET_BIND_SERVICE"])) ?? []].flat(),
      ];
      return some("unrestricted capabilities", details.join("; "));
    },
  },
  restrictedVolumes: {
    level: "restricted",
    replaces: "hostPathVolumes",
    judge({ spec }) {
      const bad = (spec.volumes ?? []).flatMap(({ name, ...sources }) => {
        const source = Object.keys(sources).find((key) => !restrictedVolumeSources.has(key));
        return source ? [{ name, source }] : [];
      });
      if (bad.length === 0) return undefined;
      const types = [...new Set(bad.map(({ source }) => source))].sort();
      const names = bad.map(({ name }) => name);
      const uses = names.length === 1 ? "uses" : "use";
      const what = `restricted volume type${types.length === 1 ? "" : "s"} ${quoted(types)}`;
      return some("restricted volume types", `${many("volume", names)} ${uses} ${what}`);
    },
  },
  runAsNonRoot: {
    level: "restricted",
    judge(subject) {
      const { by } = badField(
        subject,
        ({ runAsNonRoot }) => runAsNonRoot,
        (value) => !value,
      );
      if (by) return some(nonRoot, `${by} must not set securityContext.runAsNonRoot=false`);
      if (subject.spec.securityContext?.runAsNonRoot) return undefined;
      const silent = namesWhere(subject, ({ securityContext }) => !securityContext?.runAsNonRoot);
      const what = "must set securityContext.runAsNonRoot=true";
      const detail = `pod or ${many("container", silent)} ${what}`;
      return some(nonRoot, silent.length > 0 ? detail : undefined);
    },
  },
  runAsUser: {
    level: "restricted",
    since: 23,
    judge(subject) {
      const { by } = badField(
        subject,
        ({ runAsUser }) => runAsUser,
        (user) => user === 0,
      );
      return some("runAsUser=0", by ? `${by} must not set runAsUser=0` : undefined);
    },
  },
  seccompRestricted: {
    level: "restricted",
    since: 19,
    replaces: "seccompBaseline",
    judge(subject, minor) {
      if (isWindows(subject, minor)) return undefined;
      const bad = badSeccomp(subject);
      if (bad || subject.spec.securityContext?.seccompProfile?.type) return bad;
      const silent = namesWhere(
        subject,
        ({ securityContext }) => !securityContext?.seccompProfile?.type,
      );
      const what =
        'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"';
      const detail = `pod or ${many("container", silent)} ${what}`;
      return some("seccompProfile", silent.length > 0 ? detail : undefined);
    },
  },
};

const nonRoot = "runAsNonRoot != true";

function badSeccomp(subject: Subject): Violation | undefined {
  const { by, values } = badField(
    subject,
    ({ seccompProfile }) => seccompProfile?.type,
    (type) => type !== "RuntimeDefault" && type !== "Localhost",
  );
  const what = `must not set securityContext.seccompProfile.type to ${quoted(values)}`;
  return some("seccompProfile", by ? `${by} ${what}` : undefined);
}
