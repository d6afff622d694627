/** Resources as Calico stores them: each must be sound, and come out as it went in. */
import { expect } from 'chai';
import { formatProblem } from './problem.ts';
import { readStored, validate } from './validate.ts';

/** One a kind, in the spelling of Calico's own tools. */
const EXAMPLES: readonly string[] = [
  `{"kind":"IPPool","metadata":{"name":"lab-v4","uid":"0c5f3d0e-7b1a-4e0e-9b4b-0a2f6a9f1d11","creationTimestamp":"2026-08-01T10:00:00Z"},
    "spec":{"cidr":"10.244.0.0/16","vxlanMode":"Never","ipipMode":"Never","natOutgoing":true,"blockSize":26,
            "nodeSelector":"all()","allowedUses":["Workload","Tunnel"],"assignmentMode":"Automatic"}}`,
  `{"kind":"BGPConfiguration","metadata":{"name":"default"},
    "spec":{"logSeverityScreen":"Info","nodeToNodeMeshEnabled":false,"asNumber":64512,"listenPort":179,
     "serviceClusterIPs":[{"cidr":"10.96.0.0/12"}],"serviceExternalIPs":[{"cidr":"192.0.2.0/24"}],
     "serviceLoadBalancerIPs":[{"cidr":"198.51.100.0/24"}],"serviceLoadBalancerAggregation":"Enabled",
     "communities":[{"name":"edge","value":"64512:100"}],
     "prefixAdvertisements":[{"cidr":"10.244.0.0/16","communities":["edge","64512:200"]}],
     "bindMode":"None","ignoredInterfaces":["docker0"]}}`,
  `{"kind":"BGPPeer","metadata":{"name":"tor-a"},
    "spec":{"nodeSelector":"rack == 'a'","peerIP":"192.0.2.1:179","asNumber":65001,
     "password":{"secretKeyRef":{"name":"bgp-secrets","key":"tor-a"}},"sourceAddress":"UseNodeIP",
     "maxRestartTime":"2m0s","numAllowedLocalASNumbers":1,"ttlSecurity":1,"filters":["tor-filter"]}}`,
  `{"kind":"BGPFilter","metadata":{"name":"tor-filter"},
    "spec":{"exportV4":[{"action":"Accept","matchOperator":"In","cidr":"10.244.0.0/16","prefixLength":{"min":24,"max":28}},
                        {"action":"Reject"}],
            "importV4":[{"action":"Reject","matchOperator":"Equal","cidr":"0.0.0.0/0","source":"RemotePeers"}]}}`,
  `{"kind":"IPReservation","metadata":{"name":"printers"},"spec":{"reservedCIDRs":["10.244.9.0/28"]}}`,
  `{"kind":"FelixConfiguration","metadata":{"name":"node.worker-1"},
    "spec":{"logSeverityScreen":"Debug","failsafeInboundHostPorts":[{"protocol":"TCP","port":22}],
     "iptablesRefreshInterval":"3m0s"}}`,
  `{"kind":"ClusterInformation","metadata":{"name":"default"},
    "spec":{"clusterGUID":"6f1d6a0f4a7b4f2e8ad1c5d0b7a2c3e4","clusterType":"k8s,bgp,kdd","calicoVersion":"v3.32.1","datastoreReady":true}}`,
  `{"kind":"Tier","metadata":{"name":"platform"},"spec":{"order":100,"defaultAction":"Pass"}}`,
  `{"kind":"GlobalNetworkPolicy",
    "metadata":{"name":"host-lockdown","labels":{"projectcalico.org/tier":"default"},
                "annotations":{"projectcalico.org/metadata":"{\\"name\\":\\"host-lockdown\\"}"}},
    "spec":{"tier":"default","order":10,"selector":"has(host-endpoint)","types":["Ingress"],
     "applyOnForward":true,
     "ingress":[{"action":"Allow","protocol":"TCP","source":{"nets":["192.0.2.0/24"]},"destination":{"ports":[22,"8000:8010"]}}]}}`,
  `{"kind":"NetworkPolicy",
    "metadata":{"name":"web-in","namespace":"prod","labels":{"projectcalico.org/tier":"default"}},
    "spec":{"tier":"default","order":50,"selector":"role == 'web'","types":["Ingress"],
     "ingress":[{"action":"Allow","protocol":"TCP","source":{"selector":"role == 'lb'","namespaceSelector":"all()"},
                 "destination":{"ports":["http"]}}]}}`,
  `{"kind":"GlobalNetworkSet","metadata":{"name":"bad-actors","labels":{"threat":"yes"}},
    "spec":{"nets":["203.0.113.0/24","2001:db8:bad::/48"]}}`,
  `{"kind":"HostEndpoint","metadata":{"name":"worker-1-eth0","labels":{"host-endpoint":"yes"}},
    "spec":{"node":"worker-1","interfaceName":"eth0","expectedIPs":["192.0.2.11"],"profiles":["projectcalico-default-allow"],
     "ports":[{"name":"ssh","protocol":"TCP","port":22}]}}`,
  `{"kind":"Profile","metadata":{"name":"vm-open"},
    "spec":{"ingress":[{"action":"Allow","source":{},"destination":{}}],"egress":[{"action":"Allow","source":{},"destination":{}}],
     "labelsToApply":{"net":"vm-open"}}}`,
  `{"kind":"Node","metadata":{"name":"worker-1","labels":{"rack":"a"}},
    "spec":{"bgp":{"asNumber":64512,"ipv4Address":"192.0.2.11/24","ipv4IPIPTunnelAddr":"10.244.7.64","routeReflectorClusterID":"244.0.0.1"},
     "ipv4VXLANTunnelAddr":"10.244.7.65","vxlanTunnelMACAddr":"66:3b:10:aa:bb:cc",
     "orchRefs":[{"nodeName":"worker-1","orchestrator":"k8s"}],
     "addresses":[{"address":"192.0.2.11/24","type":"CalicoNodeIP"},{"address":"192.0.2.11","type":"InternalIP"}]}}`,
  `{"kind":"WorkloadEndpoint",
    "metadata":{"name":"worker--1-k8s-web--0-eth0","namespace":"prod",
     "labels":{"role":"web","projectcalico.org/namespace":"prod","projectcalico.org/orchestrator":"k8s","projectcalico.org/serviceaccount":"web"}},
    "spec":{"orchestrator":"k8s","node":"worker-1","pod":"web-0","endpoint":"eth0","containerID":"4f1c",
     "ipNetworks":["10.244.7.66/32"],"profiles":["kns.prod","ksa.prod.web"],"interfaceName":"cali0123456789a",
     "mac":"ee:ee:ee:ee:ee:01","serviceAccountName":"web",
     "ports":[{"name":"http","protocol":"TCP","port":8080,"hostPort":0,"hostIP":""}]}}`,
  `{"kind":"NetworkSet","metadata":{"name":"s","namespace":"prod"},"spec":{"nets":["192.0.2.0/24"]}}`,
  `{"kind":"IPAMConfiguration","metadata":{"name":"default"},"spec":{"strictAffinity":true,"autoAllocateBlocks":true,"maxBlocksPerHost":20}}`,
  `{"kind":"StagedNetworkPolicy","metadata":{"name":"web-in","namespace":"prod","labels":{"projectcalico.org/tier":"default"}},
    "spec":{"stagedAction":"Set","tier":"default","order":50,"selector":"role == 'web'","types":["Ingress"],
     "ingress":[{"action":"Allow","protocol":"TCP","destination":{"ports":["http"]}}]}}`,
  `{"kind":"StagedGlobalNetworkPolicy","metadata":{"name":"old","labels":{"projectcalico.org/tier":"platform"}},
    "spec":{"stagedAction":"Delete","tier":"platform"}}`,
  `{"kind":"StagedKubernetesNetworkPolicy","metadata":{"name":"db","namespace":"prod"},
    "spec":{"stagedAction":"Set","podSelector":{"matchLabels":{"role":"db"}},"policyTypes":["Ingress"],
     "ingress":[{"from":[{"podSelector":{}}],"ports":[{"protocol":"TCP","port":5432}]}]},
    "status":{"conditions":[{"type":"Valid","status":"True","reason":"Ok","message":"","lastTransitionTime":"2026-08-01T10:00:00Z"}]}}`,
  `{"kind":"KubeControllersConfiguration","metadata":{"name":"default"},
    "spec":{"logSeverityScreen":"Info","healthChecks":"Enabled","etcdV3CompactionPeriod":"10m0s","prometheusMetricsPort":9094,
     "controllers":{"node":{"reconcilerPeriod":"5m0s","syncLabels":"Enabled","leakGracePeriod":"15m0s",
       "hostEndpoint":{"autoCreate":"Disabled","templates":[{"generateName":"edge","interfaceCIDRs":["192.0.2.0/24"],"nodeSelector":"has(edge)","labels":{"a":"b"}}]}},
      "policy":{"reconcilerPeriod":"5m0s"},"loadBalancer":{"assignIPs":"AllServices"},"policyMigration":{"enabled":"Enabled"}}},
    "status":{"environmentVars":{"LOG_LEVEL":"info"}}}`,
  `{"kind":"CalicoNodeStatus","metadata":{"name":"w1-status"},
    "spec":{"node":"worker-1","classes":["Agent","BGP","Routes"],"updatePeriodSeconds":10},
    "status":{"lastUpdated":"2026-08-01T10:00:10Z",
     "agent":{"birdV4":{"state":"Ready","version":"1.6.8","routerID":"192.0.2.11"},"birdV6":{}},
     "bgp":{"numberEstablishedV4":1,"numberNotEstablishedV4":0,"numberEstablishedV6":0,"numberNotEstablishedV6":0,
      "peersV4":[{"peerIP":"192.0.2.1","type":"NodePeer","state":"Established","since":"09:59:10"}]},
     "routes":{"routesV4":[{"type":"FIB","destination":"10.244.8.0/26","gateway":"192.0.2.12","interface":"eth0",
      "learnedFrom":{"sourceType":"NodeMesh","peerIP":"192.0.2.12"}}]}}}`,
  `{"kind":"FelixConfiguration","metadata":{"name":"edge-nodes"},
    "spec":{"nodeSelector":"has(edge)","bpfEnabled":false,"bpfConntrackTimeouts":{"tcpEstablished":"Auto","udpTimeout":"60s"},
     "kubeNodePortRanges":["30000:32767"],"healthTimeoutOverrides":[{"name":"InternalDataplaneMainLoop","timeout":"5m0s"}],
     "routeTableRanges":[{"min":1,"max":250}],"istioDSCPMark":23,"logActionRateLimit":"10/second","goMaxProcs":-1}}`,
];

const parsed = EXAMPLES.map((text) => ({
  apiVersion: 'projectcalico.org/v3',
  ...(JSON.parse(text) as { kind: string; metadata: { name: string }; spec: object }),
}));

describe('api: resources as Calico stores them', () => {
  for (const value of parsed) {
    it(`${value.kind} is sound and stays as it is`, () => {
      const result = validate(value);
      expect(result.ok ? [] : result.problems.map(formatProblem)).to.deep.equal([]);
      expect(result.ok && result.value).to.deep.equal(value);
    });
  }

  it('may hold fields of tomorrow, which stored resources are read past and manifests are refused for', () => {
    for (const value of parsed) {
      const future = {
        ...value,
        spec: { ...value.spec, tomorrow: { deep: [1] } },
        tomorrow: { conditions: [] },
      };
      expect(validate(future).ok, value.kind).to.equal(false);
      const stored = readStored(future);
      expect(stored.ok && stored.value, value.kind).to.containSubset(value);
    }
  });
});
