/** Tables of objects, as `kubectl get` asks for them. A kind without a printer shows its name and birth. */
import type { Kind, KubeObject } from "../kinds/kind.ts";
import { clusterPrinters } from "./cluster.ts";
import { networkPrinters } from "./network.ts";
import { podPrinters } from "./pods.ts";
import { policyPrinters } from "./policies.ts";
import { type Cell, type Column, columns, type Printer } from "./printer.ts";
import { storagePrinters } from "./storage.ts";
import { workloadPrinters } from "./workloads.ts";

const PRINTERS = new Map(
  [
    podPrinters,
    workloadPrinters,
    networkPrinters,
    storagePrinters,
    clusterPrinters,
    policyPrinters,
  ].flatMap((table) => Object.entries(table) as [string, Printer<KubeObject>][]),
);

const DEFAULT: Printer<KubeObject> = {
  columns: columns("Name", "Created At").map((column) =>
    column.name === "Name" ? column : { ...column, type: "date" },
  ),
  cells: ({ metadata }) => [metadata.name, metadata.creationTimestamp ?? ""],
};

export interface PrintedTable {
  columnDefinitions: Column[];
  /** One row for each object, in the order of the columns. */
  cells: Cell[][];
}

export function tableOf(kind: Kind, objects: readonly KubeObject[], nowMs: number): PrintedTable {
  const printer = kind.model?.printer ?? PRINTERS.get(kind.typeName) ?? DEFAULT;
  return {
    columnDefinitions: printer.columns,
    cells: objects.map((object) => printer.cells(object, nowMs)),
  };
}
