import { expect, test } from "vitest";
import { defaults, type RawUpOptions, readUpOptions } from "../../../deploy/options.ts";

function read(given: Partial<RawUpOptions>) {
  const { data, httpsPort, natsPort, listen, serviceCidr, clusterDomain } = defaults;
  const doors = { data, httpsPort, natsPort, listen, serviceCidr, clusterDomain };
  const kinds = { engine: "sim", proxy: "auto", processes: "1" } as const;
  const raw = {
    ...doors,
    ...kinds,
    nodes: 1,
    podCidr: undefined,
    keep: false,
    install: true,
    ...given,
  };
  return readUpOptions(raw, { anonymousAuth: true });
}

test.each([
  [1, "10.244.0.0/16"],
  [256, "10.244.0.0/16"],
  [257, "10.244.0.0/15"],
  [1_000, "10.244.0.0/14"],
  [4_096, "10.240.0.0/12"],
])("options: %i nodes get the default range %s", (nodes, range) => {
  expect(read({ nodes }).podCidr.text).toBe(range);
});

test("options: more nodes than a range has room for are refused, also than the widest", () => {
  expect(() => read({ nodes: 1_000, podCidr: "10.244.0.0/16" })).toThrow(
    "--nodes 1000 is more than --pod-cidr 10.244.0.0/16 has room for: 256",
  );
  expect(() => read({ nodes: 20_000 })).toThrow("10.192.0.0/10 has room for: 16384");
});

test("options: admission plugins are named as upstream names them", () => {
  const { admission } = read({
    enableAdmissionPlugins: "AlwaysPullImages,PodNodeSelector",
    disableAdmissionPlugins: "PodSecurity",
  });
  expect(admission).toEqual({
    enable: ["AlwaysPullImages", "PodNodeSelector"],
    disable: ["PodSecurity"],
  });
  expect(() => read({ enableAdmissionPlugins: "PodNodeSelektor" })).toThrow(
    "--enable-admission-plugins PodNodeSelektor is no admission plugin; there are: AlwaysPullImages,",
  );
});
