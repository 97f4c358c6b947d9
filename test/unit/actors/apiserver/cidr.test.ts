import { expect, test } from "vitest";
import { addressAt, contains, parseCidr } from "../../../../actors/apiserver/registry/cidr.ts";

test("cidr: knows its addresses, and which of them may be given away", () => {
  const cidr = parseCidr("10.96.7.9/16");
  expect(cidr).toMatchObject({ size: 65_536 });
  expect(addressAt(cidr, 0)).toBe("10.96.0.0");
  expect(addressAt(cidr, 257)).toBe("10.96.1.1");
  const given: [string, boolean][] = [
    ["10.96.0.1", true],
    ["10.96.255.254", true],
    ["10.96.0.0", false],
    ["10.96.255.255", false],
    ["10.97.0.1", false],
    ["10.96.0.256", false],
    ["10.96.0", false],
    ["", false],
  ];
  for (const [address, inside] of given)
    expect([address, contains(cidr, address)]).toEqual([address, inside]);
});

test("cidr: what is none is a bug of whoever configured it", () => {
  for (const text of ["10.96.0.0", "10.96.0.0/33", "x/16", "10.96.0.0/31"]) {
    expect(() => parseCidr(text)).toThrow("Not a CIDR");
  }
});
