/** Conditions, which every kind's status lists in the same shape. */
export interface ConditionLike {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export function findCondition<C extends ConditionLike>(
  conditions: readonly C[] | undefined,
  type: string,
): C | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export function isConditionTrue(
  conditions: readonly ConditionLike[] | undefined,
  type: string,
): boolean {
  return findCondition(conditions, type)?.status === "True";
}

/**
 * The list with the condition in it. Its lastTransitionTime moves to `now` only when its status does, so that a
 * reader sees since when it is so; a condition that says nothing new leaves the very list that was given.
 */
export function setCondition<C extends ConditionLike>(
  conditions: C[] | undefined,
  condition: C,
  now: string,
): C[] {
  const list = conditions ?? [];
  const old = findCondition(list, condition.type);
  if (!old) return [...list, { ...condition, lastTransitionTime: now }];
  const isSame =
    old.status === condition.status &&
    (old.reason ?? "") === (condition.reason ?? "") &&
    (old.message ?? "") === (condition.message ?? "");
  if (isSame) return list;
  const since = old.status === condition.status ? old.lastTransitionTime : now;
  return list.map((other) => (other === old ? { ...condition, lastTransitionTime: since } : other));
}
