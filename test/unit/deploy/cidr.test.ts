import { describe, expect, test } from "vitest";
import { type Cidr, computeCidrTrouble, parseCidr } from "../../../deploy/cidr.ts";

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (!parsed) throw new Error(`${text} is no range`);
  return parsed;
}

const cidrs = [
  { option: "--pod-cidr", cidr: cidr("10.244.0.0/16") },
  { option: "--service-cidr", cidr: cidr("10.96.0.0/16") },
];

function trouble(routes: { dst: string; dev: string }[]): string[] {
  return computeCidrTrouble({ cidrs, routes, isOwn: ({ dev }) => dev?.startsWith("wh") ?? false });
}

describe("cidr", () => {
  test.each(["10.0.0.0/33", "10.0.0/8", "256.0.0.0/8", "fd00::/64", "", "10.0.0.0/"])(
    "cidr: %s is no IPv4 range",
    (text) => {
      expect(parseCidr(text)).toBeUndefined();
    },
  );

  test("cidr: a host route inside, around or equal to a range is named with its device", () => {
    for (const dst of ["10.244.7.0/24", "10.0.0.0/8", "10.244.0.0/16", "10.244.3.4"]) {
      expect(trouble([{ dst, dev: "eth9" }]).join()).toContain(`host route ${dst} dev eth9`);
    }
  });

  test("cidr: neighbours, the default route and our own bridges are no overlap", () => {
    const routes = [
      { dst: "default", dev: "eth0" },
      { dst: "0.0.0.0/0", dev: "eth0" },
      { dst: "10.243.0.0/16", dev: "eth0" },
      { dst: "10.245.0.0/16", dev: "eth0" },
      { dst: "10.244.1.0/24", dev: "wh0123456789" },
    ];
    expect(trouble(routes)).toEqual([]);
  });

  test("cidr: pods and Services may not share addresses", () => {
    const both = [cidrs[0], { option: "--service-cidr", cidr: cidr("10.244.128.0/24") }].filter(
      (it) => it !== undefined,
    );
    expect(computeCidrTrouble({ cidrs: both, routes: [], isOwn: () => false })).toEqual([
      "--pod-cidr 10.244.0.0/16 overlaps --service-cidr 10.244.128.0/24",
    ]);
  });
});
