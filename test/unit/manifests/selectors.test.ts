import fc from "fast-check";
import { expect, test } from "vitest";
import {
  matchesFieldSelector,
  parseFieldSelector,
  selectableFields,
  selectableValues,
} from "../../../manifests/field-selectors.ts";
import { ConfigMap, Event, EventsEvent, Node, Pod, Service } from "../../../manifests/index.ts";
import {
  formatSelector,
  fromLabelSelector,
  matchesSelector,
  parseSelector,
  SelectorError,
} from "../../../manifests/selectors.ts";

const labels = { app: "nginx", tier: "front", weight: "7", empty: "" };

test.each([
  ["", true],
  ["app", true],
  ["!app", false],
  ["!none", true],
  ["app=nginx", true],
  ["app==nginx", true],
  ["app = nginx , tier = front", true],
  ["app!=nginx", false],
  ["none!=x", true],
  ["app in (nginx, apache)", true],
  ["app in (apache)", false],
  ["app notin (apache)", true],
  ["none notin (x)", true],
  ["app=nginx,tier=back", false],
  ["weight>5", true],
  ["weight<5", false],
  ["empty=", true],
  ["empty in (,x)", true],
  ["example.com/app", false],
])("selectors: %j matches is %s", (text, expected) => {
  expect(matchesSelector(parseSelector(text), labels)).toBe(expected);
});

test.each([
  ["app in x", "found 'x' expected: '('"],
  ["app in (a", "found '', expected: ',', or ')'"],
  ["app=a b", "found 'b', expected: ',' or 'end of string'"],
  ["=a", "found '=', expected: !, identifier, or 'end of string'"],
  ["a,", "found '', expected: identifier after ','"],
  ["a b", "found 'b', expected: in, notin, =, ==, !=, gt, lt"],
  ["-a=b", "name part must consist of alphanumeric characters"],
  ["a>b", "for 'Gt', 'Lt' operators, the value must be an integer"],
  ["a=b$", "a valid label must be an empty string or consist of"],
])("selectors: refuses %j", (text, message) => {
  expect(() => parseSelector(text)).toThrow(SelectorError);
  expect(() => parseSelector(text)).toThrow(message);
});

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/).filter((w) => w !== "in" && w !== "notin");
const requirement = fc.oneof(
  word,
  word.map((key) => `!${key}`),
  fc.tuple(word, fc.constantFrom("=", "!="), word).map((parts) => parts.join("")),
  fc
    .tuple(word, fc.constantFrom("in", "notin"), fc.array(word, { minLength: 1, maxLength: 3 }))
    .map(([key, operator, values]) => `${key} ${operator} (${values.join(",")})`),
);

test("selectors: what is printed reads back the same and matches the same", () => {
  fc.assert(
    fc.property(
      fc.array(requirement, { maxLength: 4 }),
      fc.dictionary(word, word),
      (parts, map) => {
        const selector = parseSelector(parts.join(","));
        const again = parseSelector(formatSelector(selector));
        expect(again).toEqual(selector);
        expect(matchesSelector(again, map)).toBe(matchesSelector(selector, map));
      },
    ),
  );
});

test("selectors: an object selector means what its text does", () => {
  const selector = {
    matchLabels: { app: "nginx" },
    matchExpressions: [
      { key: "tier", operator: "In" as const, values: ["front", "back"] },
      { key: "old", operator: "DoesNotExist" as const },
    ],
  };
  expect(formatSelector(fromLabelSelector(selector))).toBe("app=nginx,!old,tier in (back,front)");
  expect(matchesSelector(fromLabelSelector(selector), labels)).toBe(true);
});

const pod: Pod = {
  metadata: { name: "a", namespace: "ns" },
  spec: { nodeName: "n1", containers: [], restartPolicy: "Always" },
  status: { phase: "Running" },
};

test.each([
  ["metadata.name=a", true],
  ["metadata.name==a,metadata.namespace=ns", true],
  ["spec.nodeName=n1,status.phase!=Failed", true],
  ["spec.host=n1", true],
  ["spec.nodeName=", false],
  ["status.podIP=", true],
  ["spec.hostNetwork=false", true],
  ["status.phase=Running,status.phase!=Running", false],
])("field selectors: %j matches is %s", (text, expected) => {
  const values = selectableValues(Pod, pod);
  expect(matchesFieldSelector(parseFieldSelector(Pod, text), values)).toBe(expected);
});

test("field selectors: a field that a kind does not offer is refused by name", () => {
  const parse = (text: string) => () => parseFieldSelector(Service, text);
  expect(parse("spec.ports=1")).toThrow("field label not supported: spec.ports");
  expect(() => parseFieldSelector(ConfigMap, "data=1")).toThrow(
    '"data" is not a known field selector: only "metadata.name", "metadata.namespace"',
  );
  expect(parse("nonsense")).toThrow("invalid selector: 'nonsense'; can't understand 'nonsense'");
  expect(selectableFields(Node)).toEqual(["metadata.name", "spec.unschedulable"]);
  expect(selectableFields(Event)).toContain("involvedObject.uid");
});

test("field selectors: a second version of an object has names of its own for its fields", () => {
  const parse = (text: string) => () => parseFieldSelector(EventsEvent, text, Event);
  const at = selectableFields(Event).indexOf("involvedObject.name");
  expect(parse("regarding.name=web")()).toMatchObject([{ field: "involvedObject.name", at }]);
  expect(parse("reportingController=x,metadata.namespace=a")()).toHaveLength(2);
  expect(parse("involvedObject.name=web")).toThrow(
    "field label not supported: involvedObject.name",
  );
});
