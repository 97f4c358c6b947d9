/** What the API and the kubelets say they are: the Kubernetes whose API this is, and our own. */
export const gitVersion = "v1.32.3+wherry0.1.0";
