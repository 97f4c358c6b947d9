/** A pod speaks to the API as every in-cluster client does: address from the environment, token and CA from files. */
import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startCluster, type TestCluster } from "../harness/cluster.ts";
import { waitFor } from "../harness/wait.ts";

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster();
});

afterAll(() => cluster?.purge());

const folder = "/var/run/secrets/kubernetes.io/serviceaccount";
/** A proxy to the API in the pod, as `kubectl proxy` is one: it trusts the CA of the pod, and shows its token. */
const serve = `cat > /etc/nginx/conf.d/default.conf <<END
server {
  listen 8001;
  proxy_ssl_verify on;
  proxy_ssl_trusted_certificate ${folder}/ca.crt;
  proxy_ssl_server_name on;
  proxy_ssl_name kubernetes.default.svc;
  location /as-the-pod/ {
    proxy_set_header Authorization "Bearer $(cat ${folder}/token)";
    proxy_pass https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/;
  }
  location /as-nobody/ {
    proxy_pass https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/;
  }
}
END
exec nginx -g "daemon off;"`;
const ask = (path: string) => inPod(`wget -q -O - http://127.0.0.1:8001${path}`);

async function inPod(script: string): Promise<string> {
  return await cluster.kubectl("exec", "client", "--", "sh", "-c", script);
}

describe("a pod's account", () => {
  it("lets it ask the API by what it finds in its environment", async () => {
    await cluster.kubectl("create", "serviceaccount", "bot");
    await cluster.apply(
      JSON.stringify({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "client" },
        spec: {
          serviceAccountName: "bot",
          terminationGracePeriodSeconds: 1,
          containers: [{ name: "main", image: "nginx:1.22", command: ["sh", "-c", serve] }],
        },
      }),
    );
    await cluster.kubectl("wait", "--for=condition=Ready", "pod/client", "--timeout=60s");
    expect(await inPod(`cat ${folder}/namespace`)).toBe("default");
    const ca = new X509Certificate(await inPod(`cat ${folder}/ca.crt`));
    const { clusters } = await cluster.json("config", "view", "--raw");
    const known = Buffer.from(clusters[0].cluster["certificate-authority-data"], "base64");
    expect(ca.fingerprint256).toBe(new X509Certificate(known).fingerprint256);

    const groups = await waitFor("an answer", async () =>
      JSON.parse(await ask("/as-the-pod/apis")),
    );
    expect(groups.kind).toBe("APIGroupList");
    await expect(ask("/as-nobody/apis")).rejects.toThrow("403 Forbidden");
  });

  it("is known to the API as the pod that it is, and to nobody after the pod", async () => {
    const token = await inPod(`cat ${folder}/token`);
    const { metadata } = await cluster.json("get", "pod", "client");
    const review = JSON.stringify({
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      spec: { token },
    });
    const reviewed = async () => JSON.parse(await cluster.create(review)).status;
    expect(await reviewed()).toMatchObject({
      authenticated: true,
      user: {
        username: "system:serviceaccount:default:bot",
        extra: {
          "authentication.kubernetes.io/pod-uid": [metadata.uid],
          "authentication.kubernetes.io/node-name": ["node-1"],
        },
      },
    });
    await cluster.kubectl("delete", "pod", "client", "--wait");
    await waitFor("the token to die", async () => !(await reviewed()).authenticated);
  });
});
