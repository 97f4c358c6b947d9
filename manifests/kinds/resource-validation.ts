/** Names and amounts of resources (k8s:pkg/apis/core/validation, ValidateResourceRequirements and below). */
import { compareQuantity, parseQuantity } from "../quantity.ts";
import type { ResourceRequirements } from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import { qualifiedName } from "../validation/formats.ts";

const CONTAINER_RESOURCES = new Set(["cpu", "memory", "ephemeral-storage"]);
const NATIVE = "kubernetes.io/";

export const NOT_NEGATIVE = "must be greater than or equal to 0";

/** A resource that Kubernetes itself does not know, named by whoever provides it. */
export function isExtendedResource(name: string): boolean {
  if (!name.includes("/") || name.includes(NATIVE) || name.startsWith("requests.")) return false;
  return qualifiedName(`requests.${name}`).length === 0;
}

/** Pieces such as GPUs and huge pages cannot be promised twice, or by half. */
function isIndivisible(name: string): boolean {
  return name.startsWith("hugepages-") || (name.includes("/") && !name.includes(NATIVE));
}

export function isWhole(quantity: string): boolean {
  return parseQuantity(quantity).nano % 1_000_000_000n === 0n;
}

export function notNegative(errors: FieldErrors, quantity: string, at: string): void {
  if (parseQuantity(quantity).nano < 0n) errors.invalid(at, quantity, NOT_NEGATIVE);
}

/** An amount of the resource that it is for: not negative, and of what comes in pieces whole ones. */
export function validateAmount(
  errors: FieldErrors,
  name: string,
  quantity: string,
  at: string,
): void {
  notNegative(errors, quantity, at);
  if (isExtendedResource(name) && !isWhole(quantity)) {
    errors.invalid(at, quantity, "must be an integer");
  }
}

export function validateResources(
  errors: FieldErrors,
  { limits = {}, requests = {} }: ResourceRequirements,
  at: string,
): void {
  for (const [name, limit] of Object.entries(limits)) {
    validateContainerResource(errors, name, `${at}.limits`);
    validateAmount(errors, name, limit, `${at}.limits[${name}]`);
  }
  for (const [name, request] of Object.entries(requests)) {
    validateContainerResource(errors, name, `${at}.requests`);
    validateAmount(errors, name, request, `${at}.requests[${name}]`);
    validateAgainstLimit(errors, name, request, limits[name], at);
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)];
  if (!names.some((name) => name.startsWith("hugepages-"))) return;
  if (names.includes("cpu") || names.includes("memory")) return;
  errors.forbidden(at, "HugePages require cpu or memory");
}

function validateAgainstLimit(
  errors: FieldErrors,
  name: string,
  request: string,
  limit: string | undefined,
  at: string,
): void {
  if (limit === undefined) {
    const detail = "Limit must be set for non overcommitable resources";
    if (isIndivisible(name)) errors.required(`${at}.limits`, detail);
    return;
  }
  const order = compareQuantity(request, limit);
  if (order !== 0 && isIndivisible(name)) {
    errors.invalid(`${at}.requests`, request, `must be equal to ${name} limit of ${limit}`);
  } else if (order > 0) {
    const detail = `must be less than or equal to ${name} limit of ${limit}`;
    errors.invalid(`${at}.requests`, request, detail);
  }
}

function validateContainerResource(errors: FieldErrors, name: string, at: string): void {
  if (CONTAINER_RESOURCES.has(name)) return;
  const faults = qualifiedName(name);
  errors.invalidEach(at, name, faults);
  if (faults.length > 0 || name.startsWith("hugepages-")) return;
  if (!name.includes("/")) errors.invalid(at, name, "must be a standard resource for containers");
  else if (!name.includes(NATIVE) && !isExtendedResource(name)) {
    errors.invalid(at, name, "doesn't follow extended resource name standard");
  }
}
