import fc from "fast-check";
import { expect, test } from "vitest";
import {
  addQuantity,
  canonicalQuantity,
  compareQuantity,
  formatQuantity,
  isQuantity,
  parseQuantity,
  QuantityError,
  quantityMilliValue,
  quantityValue,
  subQuantity,
} from "../../../manifests/quantity.ts";

test.each([
  ["0", "0"],
  ["0.0Gi", "0"],
  ["1", "1"],
  ["+1", "1"],
  ["-1.5", "-1500m"],
  ["1000m", "1"],
  ["0.5", "500m"],
  [".5", "500m"],
  ["1.", "1"],
  ["1500", "1500"],
  ["2000", "2k"],
  ["1.5Gi", "1536Mi"],
  ["1024Mi", "1Gi"],
  ["1024", "1024"],
  ["0.5Ki", "512"],
  ["1025Ki", "1025Ki"],
  ["1e3", "1e3"],
  ["12e6", "12e6"],
  ["1E3", "1e3"],
  ["1E", "1E"],
  ["100e-3", "100e-3"],
  ["0.1n", "1n"],
  ["1.0000000001", "1000000001n"],
  ["10Ei", "10Ei"],
])("quantity: %s is %s", (text, canonical) => {
  expect(canonicalQuantity(text)).toBe(canonical);
});

test.each(["", "x", "1x", "1 Gi", "Gi", "1ki", "--1", "1e", "1.2.3", "1mi", "1e999999999"])(
  "quantity: refuses %j",
  (text) => {
    expect(() => parseQuantity(text)).toThrow(QuantityError);
  },
);

test("quantity: sums keep the first format and compare across formats", () => {
  expect(addQuantity("1Gi", "1024")).toBe("1048577Ki");
  expect(addQuantity("0", "1Gi")).toBe("1Gi");
  expect(subQuantity("1", "250m")).toBe("750m");
  expect(compareQuantity("1Gi", "1073741824")).toBe(0);
  expect(compareQuantity("100m", "0.2")).toBe(-1);
  expect(quantityMilliValue("1.0001")).toBe(1001);
  expect(quantityValue("1.5Ki")).toBe(1536);
  expect(quantityValue("-1500m")).toBe(-2);
});

const quantity = fc
  .record({
    nano: fc.bigInt({ min: -(10n ** 27n), max: 10n ** 27n }),
    format: fc.constantFrom("BinarySI" as const, "DecimalSI" as const, "DecimalExponent" as const),
  })
  .map(({ nano, format }) => ({
    nano: format === "BinarySI" ? (nano / 10n ** 9n) * 10n ** 9n : nano,
    format,
  }));

test("quantity: the canonical form reads back as the same value and is a fixed point", () => {
  fc.assert(
    fc.property(quantity, (q) => {
      const text = formatQuantity(q);
      expect(isQuantity(text)).toBe(true);
      expect(parseQuantity(text).nano).toBe(q.nano);
      expect(canonicalQuantity(text)).toBe(text);
    }),
  );
});

test("quantity: subtraction undoes addition, and comparison is an order", () => {
  fc.assert(
    fc.property(quantity, quantity, (a, b) => {
      const [left, right] = [formatQuantity(a), formatQuantity(b)];
      const back = subQuantity(addQuantity(left, right), right);
      // A sum in binary units is rounded up to whole units, as upstream's is.
      if (a.format !== "BinarySI") expect(parseQuantity(back).nano).toBe(a.nano);
      expect(compareQuantity(left, right)).toBe(-compareQuantity(right, left) + 0);
    }),
  );
});
