/**
 * CSR approving: nodes' client certificates need no person. Who may have one is the API's to say.
 *
 * Mailbox  reconcile(key)                  the name of a request; repeats coalesce
 * Watches  certificates.k8s.io/certificatesigningrequests
 * Owns     nothing that is not in the store
 * Writes   certificates.k8s.io/certificatesigningrequests/approval; authorization.k8s.io/subjectaccessreviews create
 * Fails    not allowed: left to a person. api away: repeated, 5 ms .. 16 min
 * Scales   one owner (Lease `csr-approving`). A deposed one's writes are refused by its epoch.
 */

import { CertificateSigningRequest, SubjectAccessReview } from "../../manifests/index.ts";
import { defineController, watch } from "../kit/controller.ts";
import { formatTime } from "../kit/time.ts";
import { create, subresource } from "../kit/writes.ts";
import { condition, nodeClientRequest } from "./csr-signers.ts";

const group = "certificates.k8s.io";
const resource = "certificatesigningrequests";

export const csrApproving = defineController({
  name: "csr-approving",
  watches: [watch(CertificateSigningRequest)],
  writes: [
    subresource(CertificateSigningRequest, "approval", ["update"]),
    create(SubjectAccessReview),
  ],
  async reconcile(key, { api, lister, clock }) {
    const request = lister(CertificateSigningRequest).get(key);
    if (!request || request.status?.certificate) return;
    if (condition(request, "Approved") || condition(request, "Denied")) return;
    const asked = nodeClientRequest(request);
    if (!asked) return;
    const { username: user, uid, groups, extra } = request.spec;
    const { self } = asked;
    const attributes = { group, resource, verb: "create", version: "*" };
    const subresourceName = self ? "selfnodeclient" : "nodeclient";
    const resourceAttributes = { ...attributes, subresource: subresourceName };
    const spec = { user, uid, groups, extra, resourceAttributes };
    const review = await api.create(SubjectAccessReview, { metadata: { name: "" }, spec });
    if (!review.status?.allowed) return;
    const kind = self ? "self kubelet client certificate" : "kubelet client certificate";
    const message = `Auto approving ${kind} after SubjectAccessReview.`;
    const now = formatTime(clock.now());
    const times = { lastUpdateTime: now, lastTransitionTime: now };
    const approved = {
      type: "Approved",
      status: "True",
      reason: "AutoApproved",
      message,
      ...times,
    };
    const conditions = [...(request.status?.conditions ?? []), approved];
    const next = { ...request, status: { ...request.status, conditions } };
    await api.update(CertificateSigningRequest, next, { subresource: "approval" });
  },
});
