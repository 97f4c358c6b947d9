/**
 * What each of Kubernetes' own signers signs: which usages, which subject, which names. Pure.
 * After k8s:pkg/apis/certificates/helpers.go and k8s:pkg/controller/certificates/signer.
 */

import type { CertificateSigningRequest } from "../../manifests/index.ts";
import { describeRequest, type RequestFacts } from "../../runtime/certificate-requests.ts";

const nodesGroup = "system:nodes";
const nodePrefix = "system:node:";

interface Signer {
  /** Of which the first must be asked for; undefined: any. */
  readonly usages?: readonly string[];
  /** Why a request with this subject is not signed. */
  readonly refuse?: (facts: RequestFacts) => string | undefined;
}

const signers: Readonly<Record<string, Signer>> = {
  "kubernetes.io/kube-apiserver-client": {
    usages: ["client auth", "digital signature", "key encipherment"],
  },
  "kubernetes.io/kube-apiserver-client-kubelet": {
    usages: ["client auth", "digital signature", "key encipherment"],
    refuse: (facts) => refuseNode(facts) ?? refuseNames(facts),
  },
  "kubernetes.io/kubelet-serving": {
    usages: ["server auth", "digital signature", "key encipherment"],
    refuse: (facts) => refuseNode(facts) ?? refuseNoHost(facts),
  },
  "kubernetes.io/legacy-unknown": {},
};

/** Undefined: the request is somebody else's to sign. `problem` says why it is not signed. */
export function judgeRequest({
  spec,
}: CertificateSigningRequest): { readonly problem: string | undefined } | undefined {
  const signer = signers[spec.signerName];
  if (!signer) return undefined;
  return { problem: refuseUsages(signer, spec.usages ?? []) ?? signer.refuse?.(factsOf(spec)) };
}

/** A node that asks for its own client certificate, or for its first one (`self` false). */
export function nodeClientRequest({
  spec,
}: CertificateSigningRequest): { readonly self: boolean } | undefined {
  if (spec.signerName !== "kubernetes.io/kube-apiserver-client-kubelet") return undefined;
  const signer = signers[spec.signerName] as Signer;
  const facts = factsOf(spec);
  if (refuseUsages(signer, spec.usages ?? []) ?? signer.refuse?.(facts)) return undefined;
  return { self: spec.username === facts.commonName };
}

function factsOf({ request }: CertificateSigningRequest["spec"]): RequestFacts {
  return describeRequest(requestPem({ request }));
}

export function requestPem({ request }: Pick<CertificateSigningRequest["spec"], "request">) {
  return Buffer.from(request, "base64").toString();
}

function refuseUsages({ usages }: Signer, asked: readonly string[]): string | undefined {
  if (!usages) return undefined;
  const foreign = asked.filter((usage) => !usages.includes(usage));
  const lacking = asked.includes(usages[0] ?? "") ? [] : usages.slice(0, 1);
  if (foreign.length === 0 && lacking.length === 0) return undefined;
  return `usages did not match ${usages.join(", ")}`;
}

function refuseNode({ commonName, organizations }: RequestFacts): string | undefined {
  if (organizations.length !== 1 || organizations[0] !== nodesGroup) {
    return `subject organization is not ${nodesGroup}`;
  }
  if (!commonName.startsWith(nodePrefix)) {
    return `subject common name does not begin with ${nodePrefix}`;
  }
  return undefined;
}

function refuseNames({ names, addresses, emails, uris }: RequestFacts): string | undefined {
  if (names.length > 0) return "DNS subjectAltNames are not allowed";
  if (emails.length > 0) return "email subjectAltNames are not allowed";
  if (addresses.length > 0) return "IP subjectAltNames are not allowed";
  if (uris.length > 0) return "URI subjectAltNames are not allowed";
  return undefined;
}

function refuseNoHost({ names, addresses, emails, uris }: RequestFacts): string | undefined {
  if (names.length + addresses.length === 0) {
    return "at least one DNS name or IP address subjectAltName is required";
  }
  if (emails.length > 0) return "email subjectAltNames are not allowed";
  if (uris.length > 0) return "URI subjectAltNames are not allowed";
  return undefined;
}

export function condition(request: CertificateSigningRequest, type: string) {
  return request.status?.conditions?.find((one) => one.type === type);
}
