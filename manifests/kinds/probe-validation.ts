/** Probes and lifecycle hooks (k8s:pkg/apis/core/validation/validation.go, validateProbe and validateHandler). */
import type {
  HTTPGetAction,
  Lifecycle,
  LifecycleHandler,
  Probe,
} from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import { httpHeaderName, portNumber, portReference } from "../validation/formats.ts";

const COUNTS = [
  "initialDelaySeconds",
  "timeoutSeconds",
  "periodSeconds",
  "successThreshold",
  "failureThreshold",
] as const;

interface Probed {
  lifecycle?: Lifecycle;
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  startupProbe?: Probe;
}

/** Of a container that runs on; `grace` is what its pod has to end in. */
export function validateProbes(
  errors: FieldErrors,
  container: Probed,
  at: string,
  grace: number | undefined,
): void {
  for (const hook of ["postStart", "preStop"] as const) {
    const handler = container.lifecycle?.[hook];
    if (handler) validateHandler(errors, handler, `${at}.lifecycle.${hook}`, grace);
  }
  for (const name of ["livenessProbe", "readinessProbe", "startupProbe"] as const) {
    const probe = container[name];
    if (probe) validateProbe(errors, probe, `${at}.${name}`, name === "readinessProbe");
  }
}

function validateProbe(errors: FieldErrors, probe: Probe, at: string, isReadiness: boolean): void {
  validateHandler(errors, probe, at, undefined);
  for (const field of COUNTS) errors.nonNegative(`${at}.${field}`, probe[field]);
  const { terminationGracePeriodSeconds: grace, successThreshold = 1 } = probe;
  const graceField = `${at}.terminationGracePeriodSeconds`;
  if (grace !== undefined && grace <= 0) {
    errors.invalid(graceField, grace, "must be greater than 0");
  }
  if (isReadiness && grace !== undefined) {
    errors.invalid(graceField, grace, "must not be set for readinessProbes");
  }
  if (!isReadiness && successThreshold !== 1) {
    errors.invalid(`${at}.successThreshold`, successThreshold, "must be 1");
  }
}

function validateHandler(
  errors: FieldErrors,
  handler: Probe | LifecycleHandler,
  at: string,
  grace: number | undefined,
): void {
  const { exec, httpGet, tcpSocket } = handler;
  const grpc = "grpc" in handler ? handler.grpc : undefined;
  const sleep = "sleep" in handler ? handler.sleep : undefined;
  const given = Object.entries({ exec, httpGet, tcpSocket, grpc, sleep }).filter(([, v]) => v);
  for (const [name] of given.slice(1)) {
    errors.forbidden(`${at}.${name}`, "may not specify more than 1 handler type");
  }
  if (given.length === 0) errors.required(at, "must specify a handler type");
  if (exec && !exec.command?.length) errors.required(`${at}.exec.command`);
  if (httpGet) validateHttpGet(errors, httpGet, `${at}.httpGet`);
  if (tcpSocket) {
    errors.invalidEach(`${at}.tcpSocket.port`, tcpSocket.port, portReference(tcpSocket.port));
  }
  if (grpc) errors.invalidEach(`${at}.grpc.port`, grpc.port, portNumber(grpc.port));
  if (sleep && grace !== undefined && (sleep.seconds <= 0 || sleep.seconds > grace)) {
    const range = `must be greater than 0 and less than terminationGracePeriodSeconds (${grace})`;
    const gate = "Enable AllowPodLifecycleSleepActionZeroValue feature gate for zero sleep.";
    errors.invalid(`${at}.sleep`, sleep.seconds, `${range}. ${gate}`);
  }
}

function validateHttpGet(errors: FieldErrors, action: HTTPGetAction, at: string): void {
  if (!action.path) errors.required(`${at}.path`);
  errors.invalidEach(`${at}.port`, action.port, portReference(action.port));
  if (action.scheme !== "HTTP" && action.scheme !== "HTTPS") {
    errors.notSupported(`${at}.scheme`, action.scheme, ["HTTP", "HTTPS"]);
  }
  for (const { name } of action.httpHeaders ?? []) {
    errors.invalidEach(`${at}.httpHeaders`, name, httpHeaderName(name));
  }
}
