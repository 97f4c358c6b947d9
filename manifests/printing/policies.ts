/** Admission policies and flow control (k8s:pkg/printers/internalversion/printers.go). */
import type {
  FlowSchema,
  PriorityLevelConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from "../schema/types.generated.ts";
import { age, type Cell, columns, type PrinterTable } from "./printer.ts";

export const policyPrinters: PrinterTable = {
  "admissionregistration.v1.ValidatingAdmissionPolicy": {
    columns: columns("Name", "#Validations", "ParamKind", "Age"),
    cells: (policy: ValidatingAdmissionPolicy, nowMs) => {
      const kind = policy.spec.paramKind;
      return [
        policy.metadata.name,
        policy.spec.validations?.length ?? 0,
        kind ? `${kind.apiVersion}/${kind.kind}` : "<unset>",
        age(policy, nowMs),
      ];
    },
  },
  "admissionregistration.v1.ValidatingAdmissionPolicyBinding": {
    columns: columns("Name", "PolicyName", "ParamRef", "Age"),
    cells: (binding: ValidatingAdmissionPolicyBinding, nowMs) => {
      const { name, namespace } = binding.spec.paramRef ?? {};
      const shown = namespace ? `${namespace}/${name ?? "*"}` : name;
      return [
        binding.metadata.name,
        binding.spec.policyName ?? "",
        shown ?? "<unset>",
        age(binding, nowMs),
      ];
    },
  },
  "flowcontrol.v1.FlowSchema": {
    columns: columns(
      "Name",
      "PriorityLevel",
      "MatchingPrecedence",
      "DistinguisherMethod",
      "Age",
      "MissingPL",
    ),
    cells: ({ metadata, spec, status }: FlowSchema, nowMs) => [
      metadata.name,
      spec.priorityLevelConfiguration.name,
      String(spec.matchingPrecedence ?? 0),
      spec.distinguisherMethod?.type ?? "<none>",
      age({ metadata }, nowMs),
      status?.conditions?.find(({ type }) => type === "Dangling")?.status ?? "?",
    ],
  },
  "flowcontrol.v1.PriorityLevelConfiguration": {
    columns: columns(
      "Name",
      "Type",
      "NominalConcurrencyShares",
      "Queues",
      "HandSize",
      "QueueLengthLimit",
      "Age",
    ),
    cells: priorityLevelCells,
  },
};

function priorityLevelCells(level: PriorityLevelConfiguration, nowMs: number): Cell[] {
  const { type, limited, exempt } = level.spec;
  const queuing = limited?.limitResponse?.queuing;
  const shown = (value: number | undefined) => (value === undefined ? "<none>" : String(value));
  return [
    level.metadata.name,
    type,
    shown(limited?.nominalConcurrencyShares ?? exempt?.nominalConcurrencyShares),
    shown(queuing?.queues),
    shown(queuing?.handSize),
    shown(queuing?.queueLengthLimit),
    age(level, nowMs),
  ];
}
