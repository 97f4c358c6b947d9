/**
 * Endpoints into slices of at most a hundred, with as few and small writes as can be
 * (k8s.io/endpointslice `reconcileByPortMapping`). Pure.
 */

import equal from "fast-deep-equal";
import type { Endpoint, EndpointSlice } from "../../manifests/index.ts";
import type { EndpointGroup } from "./service-endpoints.ts";

export const slots = 100;

export interface SliceChanges {
  create: Pick<EndpointSlice, "addressType" | "ports" | "endpoints">[];
  /** With their endpoints as they should be. */
  update: EndpointSlice[];
  remove: EndpointSlice[];
}

/** `existing`: the slices of this Service that are ours. */
export function computeSlices(
  groups: readonly EndpointGroup[],
  existing: readonly EndpointSlice[],
): SliceChanges {
  const changes: SliceChanges = { create: [], update: [], remove: [] };
  const used = new Set<EndpointSlice>();
  for (const group of groups) {
    const slices = existing.filter((slice) => serves(slice, group));
    for (const slice of slices) used.add(slice);
    packGroup(group, slices, changes);
  }
  const unused = existing.filter((slice) => !used.has(slice));
  if (groups.length > 0) changes.remove.push(...unused);
  else keepPlaceholder(unused, changes);
  return changes;
}

/** A Service without pods keeps one empty slice, which tells apart "none" and "not seen yet". */
function keepPlaceholder(existing: readonly EndpointSlice[], changes: SliceChanges): void {
  const [kept, ...rest] = existing;
  changes.remove.push(...rest);
  if (!kept) changes.create.push({ addressType: "IPv4", ports: [], endpoints: [] });
  else if ((kept.endpoints ?? []).length > 0) changes.update.push({ ...kept, endpoints: [] });
}

function serves(slice: EndpointSlice, { addressType, ports }: EndpointGroup): boolean {
  const { metadata } = slice;
  return (
    slice.addressType === addressType &&
    equal(slice.ports ?? [], ports) &&
    !metadata.deletionTimestamp
  );
}

function packGroup(
  group: EndpointGroup,
  slices: readonly EndpointSlice[],
  changes: SliceChanges,
): void {
  const wanted = new Map(group.endpoints.map((endpoint) => [identity(endpoint), endpoint]));
  const packed = slices.map((slice) => {
    const kept = (slice.endpoints ?? []).flatMap((endpoint) => {
      const next = wanted.get(identity(endpoint));
      wanted.delete(identity(endpoint));
      return next ? [next] : [];
    });
    return { slice, endpoints: kept };
  });
  const added = [...wanted.values()];

  // First into slices that are written anyway, then where there is most room to fill.
  const isChanged = (p: Packed) => !equal(p.endpoints, p.slice.endpoints ?? []);
  const byUse = [...packed].sort((a, b) => Number(isChanged(b)) - Number(isChanged(a)));
  for (const { endpoints } of byUse) endpoints.push(...added.splice(0, slots - endpoints.length));

  for (const one of packed) {
    if (one.endpoints.length === 0) changes.remove.push(one.slice);
    else if (isChanged(one)) changes.update.push({ ...one.slice, endpoints: one.endpoints });
  }
  while (added.length > 0) {
    const { addressType, ports } = group;
    changes.create.push({ addressType, ports, endpoints: added.splice(0, slots) });
  }
}

interface Packed {
  slice: EndpointSlice;
  endpoints: Endpoint[];
}

function identity({ targetRef, addresses }: Endpoint): string {
  return `${targetRef?.uid ?? ""} ${addresses[0] ?? ""}`;
}
