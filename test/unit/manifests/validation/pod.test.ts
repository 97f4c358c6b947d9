import { Pod } from "../../../../manifests/index.ts";
import { creates, type Row } from "./faults.ts";

const C = "spec.containers[0]";
const valid = {
  spec: {
    containers: [{ name: "c", image: "i:1" }],
    volumes: [
      { name: "v", emptyDir: {} },
      { name: "claim", persistentVolumeClaim: { claimName: "p" } },
    ],
  },
};
const SUBDOMAIN =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const httpGet = { port: 80 };
const podTerm = { topologyKey: "zone", labelSelector: { matchLabels: { a: "b" } } };
const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution";
const spread = { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule" };

const probes: Row[] = [
  [
    { [`${C}.livenessProbe`]: { httpGet, terminationGracePeriodSeconds: 0 } },
    `${C}.livenessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0`,
  ],
  [
    { [`${C}.readinessProbe`]: { httpGet, terminationGracePeriodSeconds: 5 } },
    `${C}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes`,
  ],
  [
    { [`${C}.startupProbe`]: { httpGet, successThreshold: 2, periodSeconds: -1 } },
    `${C}.startupProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0`,
    `${C}.startupProbe.successThreshold: Invalid value: 2: must be 1`,
  ],
  [{ [`${C}.readinessProbe`]: { httpGet, successThreshold: 2 } }],
  [
    { [`${C}.livenessProbe`]: { httpGet, exec: { command: ["x"] } } },
    `${C}.livenessProbe.httpGet: Forbidden: may not specify more than 1 handler type`,
  ],
  [
    { [`${C}.livenessProbe`]: { httpGet: { port: 0, scheme: "FTP" } } },
    `${C}.livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive`,
    `${C}.livenessProbe.httpGet.scheme: Unsupported value: "FTP": supported values: "HTTP", "HTTPS"`,
  ],
  [
    { [`${C}.livenessProbe`]: { httpGet: { port: 1, httpHeaders: [{ name: "a b", value: "" }] } } },
    `${C}.livenessProbe.httpGet.httpHeaders: Invalid value: "a b": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')`,
  ],
  [
    { [`${C}.livenessProbe`]: { exec: {} }, [`${C}.lifecycle`]: { preStop: {} } },
    `${C}.lifecycle.preStop: Required value: must specify a handler type`,
    `${C}.livenessProbe.exec.command: Required value`,
  ],
  [
    { [`${C}.lifecycle`]: { preStop: { sleep: { seconds: 31 } } } },
    `${C}.lifecycle.preStop.sleep: Invalid value: 31: must be greater than 0 and less than terminationGracePeriodSeconds (30). Enable AllowPodLifecycleSleepActionZeroValue feature gate for zero sleep.`,
  ],
  [
    { "spec.initContainers": [{ name: "i", image: "i", livenessProbe: { httpGet } }] },
    "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
  ],
  [
    { [`${C}.restartPolicy`]: "Always" },
    `${C}.restartPolicy: Forbidden: may not be set for non-init containers`,
  ],
];

const environment: Row[] = [
  [{ [`${C}.env`]: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }] }],
  [
    {
      [`${C}.env`]: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.labels['a']" } } }],
    },
  ],
  [
    { [`${C}.env`]: [{ name: "A=", value: "" }] },
    `${C}.env[0].name: Invalid value: "A=": a valid environment variable name must consist only of printable ASCII characters other than '='`,
  ],
  [
    { [`${C}.env`]: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "spec.x" } } }] },
    `${C}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.x": error converting fieldPath: field label not supported: spec.x`,
  ],
  [
    { [`${C}.env`]: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "status.phase" } } }] },
    `${C}.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"`,
  ],
  [
    { [`${C}.env`]: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.name['a']" } } }] },
    `${C}.env[0].valueFrom.fieldRef: Invalid value: "metadata.name": does not support subscript`,
  ],
  [
    {
      [`${C}.env`]: [
        { name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.labels['a b']" } } },
      ],
    },
    `${C}.env[0].valueFrom.fieldRef: Invalid value: "a b": ${QUALIFIED}`,
  ],
  [
    { [`${C}.env`]: [{ name: "A", valueFrom: { resourceFieldRef: { resource: "cpu" } } }] },
    `${C}.env[0].valueFrom.resourceFieldRef.resource: Unsupported value: "cpu": supported values: "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"`,
  ],
  [
    {
      [`${C}.env`]: [
        { name: "A", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "2" } } },
        { name: "B", valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "2" } } },
        {
          name: "C",
          valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } },
        },
      ],
    },
    `${C}.env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor's values 1m and 1 are supported with the cpu resource`,
    `${C}.env[1].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.memory": only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the memory resource`,
  ],
  [
    {
      [`${C}.env`]: [
        { name: "A", value: "x", valueFrom: { secretKeyRef: { name: "s", key: "" } } },
      ],
    },
    `${C}.env[0].valueFrom.secretKeyRef.key: Required value`,
    `${C}.env[0].valueFrom: Invalid value: "": may not be specified when \`value\` is not empty`,
  ],
  [
    { [`${C}.envFrom`]: [{}, { configMapRef: {} }] },
    `${C}.envFrom[0]: Invalid value: "": must specify one of: \`configMapRef\` or \`secretRef\``,
    `${C}.envFrom[1].configMapRef.name: Required value`,
  ],
];

const mounts: Row[] = [
  [
    {
      [`${C}.volumeMounts`]: [
        { name: "v", mountPath: "/a", subPath: "../b" },
        { name: "v", mountPath: "/a", mountPropagation: "Bidirectional" },
        { name: "v", mountPath: "/c", recursiveReadOnly: "Enabled" },
        { name: "v", mountPath: "/d", mountPropagation: "X", recursiveReadOnly: "Y" },
      ],
    },
    `${C}.volumeMounts[0].subPath: Invalid value: "../b": must not contain '..'`,
    `${C}.volumeMounts[1].mountPath: Invalid value: "/a": must be unique`,
    `${C}.volumeMounts[1].mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers`,
    `${C}.volumeMounts[2].recursiveReadOnly: Forbidden: may only be specified when readOnly is true`,
    `${C}.volumeMounts[3].mountPropagation: Unsupported value: "X": supported values: "Bidirectional", "HostToContainer", "None"`,
    `${C}.volumeMounts[3].recursiveReadOnly: Unsupported value: "Y": supported values: "Disabled", "Enabled", "IfPossible"`,
  ],
  [{ [`${C}.volumeDevices`]: [{ name: "claim", devicePath: "/dev/x" }] }],
  [
    {
      [`${C}.volumeDevices`]: [
        { name: "v", devicePath: "/dev/../x" },
        { name: "none", devicePath: "/dev/../x" },
      ],
    },
    `${C}.volumeDevices[0].devicePath: Invalid value: "/dev/../x": can not contain backsteps ('..')`,
    `${C}.volumeDevices[0].name: Invalid value: "v": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode`,
    `${C}.volumeDevices[1].devicePath: Invalid value: "/dev/../x": can not contain backsteps ('..')`,
    `${C}.volumeDevices[1].devicePath: Invalid value: "/dev/../x": must be unique`,
    `${C}.volumeDevices[1].name: Not found: "none"`,
  ],
  [
    {
      [`${C}.volumeMounts`]: [{ name: "claim", mountPath: "/d" }],
      [`${C}.volumeDevices`]: [{ name: "claim", devicePath: "/d" }],
    },
    `${C}.volumeMounts[0].mountPath: Invalid value: "/d": must not already exist as a path in volumeDevices`,
    `${C}.volumeDevices[0].devicePath: Invalid value: "/d": must not already exist as a path in volumeMounts`,
  ],
];

const resources: Row[] = [
  [
    { [`${C}.resources`]: { requests: { foo: "1", "kubernetes.io/x": "1", cpu: "-1" } } },
    `${C}.resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0`,
    `${C}.resources.requests: Invalid value: "foo": must be a standard resource for containers`,
  ],
  [
    { [`${C}.resources`]: { limits: { "a.b/gpu": "1500m" } } },
    `${C}.resources.limits[a.b/gpu]: Invalid value: "1500m": must be an integer`,
    `${C}.resources.requests[a.b/gpu]: Invalid value: "1500m": must be an integer`,
  ],
  [
    { [`${C}.resources`]: { requests: { "a.b/gpu": "1" } } },
    `${C}.resources.limits: Required value: Limit must be set for non overcommitable resources`,
  ],
  [
    { [`${C}.resources`]: { limits: { "hugepages-2Mi": "2Mi" } } },
    `${C}.resources: Forbidden: HugePages require cpu or memory`,
  ],
];

const security: Row[] = [
  [
    { [`${C}.securityContext`]: { runAsUser: -1, procMount: "X" } },
    `${C}.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive`,
    `${C}.securityContext.procMount: Unsupported value: "X": supported values: "Default", "Unmasked"`,
  ],
  [
    {
      [`${C}.securityContext`]: {
        allowPrivilegeEscalation: false,
        capabilities: { add: ["CAP_SYS_ADMIN"] },
      },
    },
    `${C}.securityContext: Invalid value: {"capabilities":{"add":["CAP_SYS_ADMIN"]},"allowPrivilegeEscalation":false}: cannot set \`allowPrivilegeEscalation\` to false and \`capabilities.Add\` CAP_SYS_ADMIN`,
  ],
  [
    { "spec.securityContext": { seccompProfile: { type: "Localhost" } } },
    "spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost",
  ],
  [
    { "spec.securityContext": { seccompProfile: { type: "X", localhostProfile: "a" } } },
    'spec.securityContext.seccompProfile.localhostProfile: Invalid value: "a": can only be set when seccomp type is Localhost',
    'spec.securityContext.seccompProfile.type: Unsupported value: "X": supported values: "Localhost", "RuntimeDefault", "Unconfined"',
  ],
  [
    { "spec.securityContext": { appArmorProfile: { type: "Localhost" } } },
    "spec.securityContext.appArmorProfile.localhostProfile: Required value: must be set when AppArmor type is Localhost",
  ],
  [
    { "spec.securityContext": { appArmorProfile: { type: "Unconfined", localhostProfile: "a" } } },
    'spec.securityContext.appArmorProfile.localhostProfile: Invalid value: "a": can only be set when AppArmor type is Localhost',
  ],
  [
    {
      "spec.securityContext": {
        fsGroup: -1,
        supplementalGroups: [-2],
        fsGroupChangePolicy: "X",
        sysctls: [
          { name: "a b", value: "1" },
          { name: "net.ipv4.x", value: "1" },
          { name: "net.ipv4.x", value: "1" },
        ],
      },
      "spec.hostPID": true,
      "spec.shareProcessNamespace": true,
      "spec.hostNetwork": true,
    },
    "spec.securityContext.fsGroup: Invalid value: -1: must be between 0 and 2147483647, inclusive",
    "spec.securityContext.supplementalGroups[0]: Invalid value: -2: must be between 0 and 2147483647, inclusive",
    "spec.securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled",
    'spec.securityContext.sysctls[0].name: Invalid value: "a b": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$',
    "spec.securityContext.sysctls[1].name: Invalid value: \"net.ipv4.x\": may not be specified when 'hostNetwork' is true",
    'spec.securityContext.sysctls[2].name: Duplicate value: "net.ipv4.x"',
    "spec.securityContext.sysctls[2].name: Invalid value: \"net.ipv4.x\": may not be specified when 'hostNetwork' is true",
    'spec.securityContext.fsGroupChangePolicy: Unsupported value: "X": supported values: "Always", "OnRootMismatch"',
  ],
  [
    { "spec.os": { name: "plan9" } },
    'spec.os: Unsupported value: "plan9": supported values: "linux", "windows"',
  ],
  [
    {
      "spec.os": { name: "windows" },
      "spec.securityContext": { runAsUser: 1 },
      "spec.hostPID": true,
      [`${C}.securityContext`]: { privileged: true },
    },
    "spec.hostPID: Forbidden: cannot be set for a windows pod",
    "spec.securityContext.runAsUser: Forbidden: cannot be set for a windows pod",
    `${C}.securityContext.privileged: Forbidden: cannot be set for a windows pod`,
  ],
  [
    { "spec.os": { name: "linux" }, "spec.securityContext": { windowsOptions: {} } },
    "spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod",
  ],
];

const placement: Row[] = [
  [
    { "spec.tolerations": [{ key: "a", operator: "Equal", value: "b c" }] },
    `spec.tolerations[0].operator: Invalid value: "b c": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
  ],
  [
    { "spec.tolerations": [{ operator: "X", effect: "Y", tolerationSeconds: 1 }] },
    'spec.tolerations[0].operator: Invalid value: "X": operator must be Exists when `key` is empty, which means "match all values and all keys"',
    "spec.tolerations[0].effect: Invalid value: \"Y\": effect must be 'NoExecute' when `tolerationSeconds` is set",
    'spec.tolerations[0].operator: Unsupported value: "X": supported values: "Equal", "Exists"',
    'spec.tolerations[0].effect: Unsupported value: "Y": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
  ],
  [
    { "spec.tolerations": [{ key: "a", operator: "Exists", value: "b" }] },
    'spec.tolerations[0].operator: Invalid value: {"key":"a","operator":"Exists","value":"b"}: value must be empty when `operator` is \'Exists\'',
  ],
  [
    {
      "spec.topologySpreadConstraints": [
        { ...spread, maxSkew: 0, minDomains: 0, nodeTaintsPolicy: "X" },
        { ...spread, matchLabelKeys: ["a"] },
        { ...spread, whenUnsatisfiable: "ScheduleAnyway", minDomains: 1 },
        {
          ...spread,
          topologyKey: "host",
          matchLabelKeys: ["a"],
          labelSelector: { matchLabels: { a: "b" } },
        },
      ],
    },
    "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
    "spec.topologySpreadConstraints[0].minDomains: Invalid value: 0: must be greater than zero",
    'spec.topologySpreadConstraints[0].nodeTaintsPolicy: Unsupported value: "X": supported values: "Honor", "Ignore"',
    "spec.topologySpreadConstraints[1].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set",
    'spec.topologySpreadConstraints[1].{topologyKey, whenUnsatisfiable}: Duplicate value: "{zone, DoNotSchedule}"',
    "spec.topologySpreadConstraints[2].minDomains: Invalid value: 1: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
    'spec.topologySpreadConstraints[3].matchLabelKeys[0]: Invalid value: "a": exists in both matchLabelKeys and labelSelector',
  ],
  [
    { "spec.affinity": { nodeAffinity: { [REQUIRED]: { nodeSelectorTerms: [] } } } },
    `spec.affinity.nodeAffinity.${REQUIRED}.nodeSelectorTerms: Required value: must have at least one node selector term`,
  ],
  [
    {
      "spec.affinity": {
        nodeAffinity: {
          [REQUIRED]: {
            nodeSelectorTerms: [
              {
                matchExpressions: [
                  { key: "a", operator: "In" },
                  { key: "a", operator: "Exists", values: ["b"] },
                  { key: "a", operator: "Gt", values: ["1", "2"] },
                  { key: "a", operator: "Is", values: ["1"] },
                ],
                matchFields: [
                  { key: "metadata.name", operator: "Exists" },
                  { key: "spec.x", operator: "In", values: ["a"] },
                  { key: "metadata.name", operator: "In", values: ["a", "b"] },
                ],
              },
            ],
          },
        },
      },
    },
    `spec.affinity.nodeAffinity.${REQUIRED}.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified when \`operator\` is 'In' or 'NotIn'`,
    `spec.affinity.nodeAffinity.${REQUIRED}.nodeSelectorTerms[0].matchExpressions[1].values: Forbidden: may not be specified when \`operator\` is 'Exists' or 'DoesNotExist'`,
    `spec.affinity.nodeAffinity.${REQUIRED}.nodeSelectorTerms[0].matchExpressions[2].values: Required value: must be specified single value when \`operator\` is 'Lt' or 'Gt'`,
    `spec.affinity.nodeAffinity.${REQUIRED}.nodeSelectorTerms[0].matchExpressions[3].operator: Invalid value: "Is": not a valid selector operator`,
    `spec.affinity.nodeAffinity.${REQUIRED}.nodeSelectorTerms[0].matchFields[0].operator: Invalid value: "Exists": not a valid selector operator`,
    `spec.affinity.nodeAffinity.${REQUIRED}.nodeSelectorTerms[0].matchFields[1].key: Invalid value: "spec.x": not a valid field selector key`,
    `spec.affinity.nodeAffinity.${REQUIRED}.nodeSelectorTerms[0].matchFields[2].values: Required value: must be only one value when \`operator\` is 'In' or 'NotIn' for node field selector`,
  ],
  [
    { "spec.affinity": { podAffinity: { [REQUIRED]: [{ ...podTerm, namespaces: ["A"] }] } } },
    `spec.affinity.podAffinity.${REQUIRED}[0].namespace: Invalid value: "A": ${LABEL}`,
  ],
  [
    {
      "spec.affinity": {
        podAntiAffinity: {
          [REQUIRED]: [{ ...podTerm, matchLabelKeys: ["x"], mismatchLabelKeys: ["x"] }],
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 101, podAffinityTerm: podTerm },
          ],
        },
      },
    },
    `spec.affinity.podAntiAffinity.${REQUIRED}[0].matchLabelKeys[0]: Invalid value: "x": exists in both matchLabelKeys and mismatchLabelKeys`,
    "spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 101: must be in the range 1-100",
  ],
];

const rest: Row[] = [
  [
    { "spec.hostAliases": [{ ip: "x", hostnames: ["A"] }] },
    `spec.hostAliases[0].ip: Invalid value: "x": ${IP}`,
    `spec.hostAliases[0].hostnames[0]: Invalid value: "A": ${SUBDOMAIN}`,
  ],
  [
    { "spec.dnsPolicy": "None" },
    "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None",
  ],
  [
    { "spec.dnsPolicy": "None", "spec.dnsConfig": {} },
    "spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None",
  ],
  [
    {
      "spec.dnsConfig": {
        nameservers: ["1.1.1.1", "1.1.1.2", "1.1.1.3", "x"],
        searches: ["A."],
        options: [{ value: "1" }],
      },
    },
    'spec.dnsConfig.nameservers: Invalid value: []string{"1.1.1.1", "1.1.1.2", "1.1.1.3", "x"}: must not have more than 3 nameservers',
    `spec.dnsConfig.nameservers[3]: Invalid value: "x": ${IP}`,
    `spec.dnsConfig.searches[0]: Invalid value: "A": ${SUBDOMAIN}`,
    "spec.dnsConfig.options[0]: Required value: must not be empty",
  ],
  [
    { "spec.readinessGates": [{ conditionType: "a b" }] },
    `spec.readinessGates[0].conditionType: Invalid value: "a b": ${QUALIFIED}`,
  ],
  [
    { "spec.schedulingGates": [{ name: "a" }, { name: "a" }], "spec.nodeName": "n" },
    'spec.schedulingGates[1]: Duplicate value: "a"',
    "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
  ],
  [
    { "spec.preemptionPolicy": "X", "spec.dnsPolicy": "Y" },
    'spec.dnsPolicy: Unsupported value: "Y": supported values: "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"',
    'spec.preemptionPolicy: Unsupported value: "X": supported values: "Never", "PreemptLowerPriority"',
  ],
  [
    { "spec.hostname": "a.b", "spec.serviceAccountName": "A" },
    `spec.serviceAccountName: Invalid value: "A": ${SUBDOMAIN}`,
    'spec.hostname: Invalid value: "a.b": must not contain dots',
  ],
  [
    { "spec.overhead": { cpu: "-1" }, "spec.activeDeadlineSeconds": 0 },
    "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive",
    'spec.overhead[cpu]: Invalid value: "-1": must be greater than or equal to 0',
  ],
  [
    { metadata: { annotations: { "controller.kubernetes.io/pod-deletion-cost": "+1" } } },
    'metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "+1": must be a 32bit integer',
  ],
  [
    { "spec.ephemeralContainers": [{ name: "e", image: "i" }] },
    "spec.ephemeralContainers: Forbidden: cannot be set on create",
  ],
];

creates(Pod, valid, [
  ...probes,
  ...environment,
  ...mounts,
  ...resources,
  ...security,
  ...placement,
  ...rest,
]);
