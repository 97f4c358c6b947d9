/** `quantity("1Gi")` and what it can do. k8s: apiserver/pkg/cel/library/quantity.go. */

import type { Environment } from "@marcbachmann/cel-js";
import { isQuantity, parseQuantity } from "../quantity.ts";

const nano = 1_000_000_000n;

class CelQuantity {
  readonly nano: bigint;
  constructor(value: bigint) {
    this.nano = value;
  }
}

type Q = CelQuantity;

export function addQuantities(environment: Environment): void {
  const read = (text: string) => new CelQuantity(parseQuantity(text).nano);
  const compare = (a: Q, b: Q) => (a.nano < b.nano ? -1n : a.nano > b.nano ? 1n : 0n);
  environment
    .registerType("kubernetes.Quantity", CelQuantity)
    .registerFunction("quantity(string): kubernetes.Quantity", read)
    .registerFunction("isQuantity(string): bool", (text: string) => isQuantity(text))
    .registerOperator(
      "kubernetes.Quantity == kubernetes.Quantity",
      (a: Q, b: Q) => a.nano === b.nano,
    )
    .registerFunction("kubernetes.Quantity.sign(): int", (q: Q) =>
      q.nano > 0n ? 1n : q.nano < 0n ? -1n : 0n,
    )
    .registerFunction("kubernetes.Quantity.isInteger(): bool", (q: Q) => q.nano % nano === 0n)
    .registerFunction("kubernetes.Quantity.asInteger(): int", (q: Q) => {
      if (q.nano % nano !== 0n) throw new Error("cannot convert value to integer");
      return q.nano / nano;
    })
    .registerFunction(
      "kubernetes.Quantity.asApproximateFloat(): double",
      (q: Q) => Number(q.nano) / 1e9,
    )
    .registerFunction("kubernetes.Quantity.compareTo(kubernetes.Quantity): int", compare)
    .registerFunction(
      "kubernetes.Quantity.isGreaterThan(kubernetes.Quantity): bool",
      (a: Q, b: Q) => a.nano > b.nano,
    )
    .registerFunction(
      "kubernetes.Quantity.isLessThan(kubernetes.Quantity): bool",
      (a: Q, b: Q) => a.nano < b.nano,
    );
  for (const [name, sign] of [
    ["add", 1n],
    ["sub", -1n],
  ] as const) {
    environment
      .registerFunction(
        `kubernetes.Quantity.${name}(kubernetes.Quantity): kubernetes.Quantity`,
        (a: Q, b: Q) => new CelQuantity(a.nano + sign * b.nano),
      )
      .registerFunction(
        `kubernetes.Quantity.${name}(int): kubernetes.Quantity`,
        (a: Q, b: bigint) => new CelQuantity(a.nano + sign * b * nano),
      );
  }
}
