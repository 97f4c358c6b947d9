/** Security contexts of pods and containers (k8s:pkg/apis/core/validation/validation.go). */
import type {
  AppArmorProfile,
  PodSecurityContext,
  PodSpec,
  SeccompProfile,
  SecurityContext,
  Sysctl,
  WindowsSecurityContextOptions,
} from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import { dnsSubdomain, inRange } from "../validation/formats.ts";

const MAX_ID = 2 ** 31 - 1;
const MOST_SYSCTL = 253;
const SYSCTL_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
const SYSCTL = `(${SYSCTL_SEGMENT}[\\./])*${SYSCTL_SEGMENT}`;
const sysctlPattern = new RegExp(`^${SYSCTL}$`);
const MOST_APP_ARMOR = 4095;
const PROFILES = ["Localhost", "RuntimeDefault", "Unconfined"];

export function validateSecurity(errors: FieldErrors, security: SecurityContext, at: string): void {
  validateIds(errors, security, at, ["runAsUser", "runAsGroup"]);
  const { procMount, seccompProfile, appArmorProfile, windowsOptions } = security;
  if (procMount !== undefined && procMount !== "Default" && procMount !== "Unmasked") {
    errors.notSupported(`${at}.procMount`, procMount, ["Default", "Unmasked"]);
  }
  if (seccompProfile) validateSeccomp(errors, seccompProfile, `${at}.seccompProfile`);
  if (security.allowPrivilegeEscalation === false) {
    const conflict = security.privileged
      ? "`privileged` to true"
      : security.capabilities?.add?.includes("CAP_SYS_ADMIN")
        ? "`capabilities.Add` CAP_SYS_ADMIN"
        : undefined;
    const detail = `cannot set \`allowPrivilegeEscalation\` to false and ${conflict}`;
    if (conflict) errors.invalid(at, security, detail);
  }
  if (windowsOptions) validateWindows(errors, windowsOptions, `${at}.windowsOptions`);
  if (appArmorProfile) validateAppArmor(errors, appArmorProfile, `${at}.appArmorProfile`);
}

export function validatePodSecurity(errors: FieldErrors, spec: PodSpec, at: string): void {
  const { securityContext: security } = spec;
  if (!security) return;
  validateIds(errors, security, at, ["fsGroup"]);
  validateIds(errors, security, at, ["runAsUser", "runAsGroup"]);
  security.supplementalGroups?.forEach((id, i) => {
    errors.invalidEach(`${at}.supplementalGroups[${i}]`, id, inRange(id, 0, MAX_ID));
  });
  if (spec.shareProcessNamespace && spec.hostPID) {
    const detail = "ShareProcessNamespace and HostPID cannot both be enabled";
    errors.invalid(`${at}.shareProcessNamespace`, true, detail);
  }
  if (security.sysctls) validateSysctls(errors, security.sysctls, `${at}.sysctls`, spec);
  const { fsGroupChangePolicy: change, seccompProfile, windowsOptions, appArmorProfile } = security;
  if (change !== undefined && change !== "Always" && change !== "OnRootMismatch") {
    errors.notSupported(`${at}.fsGroupChangePolicy`, change, ["Always", "OnRootMismatch"]);
  }
  if (seccompProfile) validateSeccomp(errors, seccompProfile, `${at}.seccompProfile`);
  if (windowsOptions) validateWindows(errors, windowsOptions, `${at}.windowsOptions`);
  if (appArmorProfile) validateAppArmor(errors, appArmorProfile, `${at}.appArmorProfile`);
}

function validateIds<T extends string>(
  errors: FieldErrors,
  ids: { [name in T]?: number },
  at: string,
  names: readonly T[],
): void {
  for (const name of names) {
    const id = ids[name];
    if (id !== undefined) errors.invalidEach(`${at}.${name}`, id, inRange(id, 0, MAX_ID));
  }
}

/** Those that would reach beyond the pod need a namespace of the pod's own. */
function validateSysctls(
  errors: FieldErrors,
  sysctls: readonly Sysctl[],
  path: string,
  spec: PodSpec,
): void {
  const names = new Set<string>();
  sysctls.forEach(({ name }, i) => {
    const at = `${path}[${i}].name`;
    if (name === "") errors.required(at);
    else if (name.length > MOST_SYSCTL || !sysctlPattern.test(name)) {
      const detail = `must have at most ${MOST_SYSCTL} characters and match regex ^${SYSCTL}$`;
      errors.invalid(at, name, detail);
    } else if (names.has(name)) errors.duplicate(at, name);
    names.add(name);
    const dotted = name.replaceAll("/", ".");
    const isIpc = /^(?:kernel\.shm|kernel\.msg|kernel\.sem$|fs\.mqueue\.)/.test(dotted);
    if (spec.hostNetwork && dotted.startsWith("net.")) {
      errors.invalid(at, name, "may not be specified when 'hostNetwork' is true");
    }
    if (spec.hostIPC && isIpc) {
      errors.invalid(at, name, "may not be specified when 'hostIPC' is true");
    }
  });
}

function validateSeccomp(errors: FieldErrors, profile: SeccompProfile, at: string): void {
  const { type, localhostProfile: local } = profile;
  const field = `${at}.localhostProfile`;
  if (type === "Localhost") {
    if (local === undefined) errors.required(field, "must be set when seccomp type is Localhost");
    else if (local.startsWith("/")) errors.invalid(field, local, "must be a relative path");
    else if (local.split("/").includes("..")) errors.invalid(field, local, "must not contain '..'");
  } else if (local !== undefined) {
    errors.invalid(field, local, "can only be set when seccomp type is Localhost");
  }
  if (!type) errors.required(`${at}.type`, "type is required when seccompProfile is set");
  else if (!PROFILES.includes(type)) errors.notSupported(`${at}.type`, type, PROFILES);
}

function validateAppArmor(errors: FieldErrors, profile: AppArmorProfile, at: string): void {
  const { type, localhostProfile: local } = profile;
  const field = `${at}.localhostProfile`;
  if (type === "Localhost") {
    if (local === undefined) errors.required(field, "must be set when AppArmor type is Localhost");
    else if (local.trim() === "") {
      errors.required(field, "must be set when AppArmor type is Localhost");
    } else if (local.trim() !== local) {
      errors.invalid(field, local, "must not be padded with whitespace");
    } else if (local.length > MOST_APP_ARMOR) errors.tooLong(field, MOST_APP_ARMOR);
  } else if (!type) errors.required(`${at}.type`, "type is required when appArmorProfile is set");
  else if (!PROFILES.includes(type)) errors.notSupported(`${at}.type`, type, PROFILES);
  else if (local !== undefined) {
    errors.invalid(field, local, "can only be set when AppArmor type is Localhost");
  }
}

function validateWindows(
  errors: FieldErrors,
  { gmsaCredentialSpecName: name, gmsaCredentialSpec: spec }: WindowsSecurityContextOptions,
  at: string,
): void {
  if (name !== undefined) {
    errors.invalidEach(`${at}.gmsaCredentialSpecName`, name, dnsSubdomain(name));
  }
  if (spec === "") {
    errors.invalid(
      `${at}.gmsaCredentialSpec`,
      spec,
      "gmsaCredentialSpec cannot be an empty string",
    );
  }
}

const NOT_ON_WINDOWS = {
  pod: ["hostPID", "hostIPC", "shareProcessNamespace"],
  podSecurity: [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
  ],
  container: [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
  ],
} as const;

type Fields = Record<string, unknown>;

/** What a pod may not ask for of the system that it says it runs on. */
export function validateOs(errors: FieldErrors, spec: PodSpec, path: string): void {
  const { os } = spec;
  if (!os) return;
  if (!os.name) errors.required(`${path}.os.name`, "cannot be empty");
  else if (os.name !== "linux" && os.name !== "windows") {
    errors.notSupported(`${path}.os`, os.name, ["linux", "windows"]);
  }
  const contexts = [
    {
      at: `${path}.securityContext`,
      context: spec.securityContext,
      fields: "podSecurity" as const,
    },
    ...(["initContainers", "containers"] as const).flatMap((list) =>
      (spec[list] ?? []).map(({ securityContext: context }, i) => {
        const at = `${path}.${list}[${i}].securityContext`;
        return { at, context, fields: "container" as const };
      }),
    ),
  ];
  if (os.name === "windows") {
    refuse(errors, spec, path, NOT_ON_WINDOWS.pod);
    for (const { at, context, fields } of contexts) {
      if (context) refuse(errors, context, at, NOT_ON_WINDOWS[fields]);
    }
  } else if (os.name === "linux") {
    for (const { at, context } of contexts) {
      if (!context?.windowsOptions) continue;
      const detail = "windows options cannot be set for a linux pod";
      errors.forbidden(`${at}.windowsOptions`, detail);
    }
  }
}

function refuse(
  errors: FieldErrors,
  value: PodSpec | PodSecurityContext | SecurityContext,
  at: string,
  names: readonly string[],
): void {
  for (const name of names) {
    const given = (value as unknown as Fields)[name];
    const isSet = Array.isArray(given) ? given.length > 0 : given !== undefined && given !== false;
    if (isSet) errors.forbidden(`${at}.${name}`, "cannot be set for a windows pod");
  }
}
