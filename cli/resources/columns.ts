/** The columns of `get` for each kind: calicoctl's headings, in its order. */

/** A resource as it is read, before its kind is looked at. */
export interface AnyResource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly [field: string]: unknown;
  };
  /** Absent in some kinds of Kubernetes. */
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

/** What a column may need beside the resource. */
export interface ColumnContext {
  /** AS number of a node that names none: that of BGPConfiguration `default`, or Calico's 64512. */
  readonly defaultAsNumber: string;
}

export type Column = (resource: AnyResource, context: ColumnContext) => string;

export interface Layout {
  readonly narrow: readonly string[];
  readonly wide: readonly string[];
  readonly columns: Readonly<Record<string, Column>>;
}

/** @param path  in spec, or from the top when it begins with a dot */
function field(path: string, absent = ''): Column {
  const steps = path.replace(/^\./, '').split('.');
  return (resource) => {
    let value: unknown = path.startsWith('.') ? resource : resource.spec;
    for (const step of steps) value = isRecord(value) ? value[step] : undefined;
    return text(value, absent);
  };
}

function text(value: unknown, absent: string): string {
  if (value === undefined || value === null || value === '') return absent;
  if (Array.isArray(value)) return value.map((item) => text(item, '')).join(',');
  if (isRecord(value)) {
    const pairs = Object.entries(value).map(([key, item]) => `${key}=${text(item, '')}`);
    return pairs.sort((a, b) => a.localeCompare(b)).join(',');
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** calicoctl cuts long lists of networks at 80 characters. */
function cut(column: Column, length: number): Column {
  return (resource, context) => {
    const whole = column(resource, context);
    return whole.length > length ? `${whole.slice(0, length - 3)}...` : whole;
  };
}

const peerNode: Column = ({ spec = {} }) => text(spec['node'], text(spec['nodeSelector'], '(global)'));

const nodeAsNumber: Column = ({ spec = {} }, { defaultAsNumber }) =>
  isRecord(spec['bgp']) ? text(spec['bgp']['asNumber'], `(${defaultAsNumber})`) : '';

function layout(
  narrow: readonly string[],
  wide: readonly string[],
  columns: Readonly<Record<string, Column>>,
): Layout {
  return {
    narrow: ['NAME', ...narrow],
    wide: ['NAME', ...wide],
    columns: {
      NAME: ({ metadata }) => metadata.name,
      NAMESPACE: ({ metadata }) => metadata.namespace ?? '',
      ...columns,
    },
  };
}

const POLICY = {
  ORDER: field('order', '<nil>'),
  SELECTOR: field('selector'),
  TIER: field('tier', 'default'),
};
const PRIORITY = { TIER: field('tier'), PRIORITY: field('priority') };
const NETS = { NETS: cut(field('nets'), 80) };
const IPAM_CONFIG = {
  STRICTAFFINITY: field('strictAffinity', 'false'),
  AUTOALLOCATEBLOCKS: field('autoAllocateBlocks', 'true'),
  MAXBLOCKSPERHOST: field('maxBlocksPerHost', '0'),
};

const LAYOUTS: Readonly<Record<string, Layout>> = {
  BGPConfiguration: layout(
    ['LOGSEVERITY', 'MESHENABLED', 'ASNUMBER'],
    ['LOGSEVERITY', 'MESHENABLED', 'ASNUMBER'],
    {
      LOGSEVERITY: field('logSeverityScreen'),
      MESHENABLED: field('nodeToNodeMeshEnabled', '-'),
      ASNUMBER: field('asNumber', '-'),
    },
  ),
  BGPPeer: layout(['PEERIP', 'NODE', 'ASN'], ['PEERIP', 'NODE', 'ASN'], {
    PEERIP: field('peerIP'),
    NODE: peerNode,
    ASN: field('asNumber'),
  }),
  CalicoNodeStatus: layout(
    ['NODE', 'CLASSES', 'INTERVAL', 'LASTUPDATED'],
    ['NODE', 'CLASSES', 'INTERVAL', 'LASTUPDATED'],
    {
      NODE: field('node'),
      CLASSES: field('classes'),
      INTERVAL: field('updatePeriodSeconds'),
      LASTUPDATED: field('.status.lastUpdated'),
    },
  ),
  ClusterInformation: layout(
    ['CLUSTERGUID', 'CLUSTERTYPE', 'CALICOVERSION', 'DATASTOREREADY'],
    ['CLUSTERGUID', 'CLUSTERTYPE', 'CALICOVERSION', 'DATASTOREREADY'],
    {
      CLUSTERGUID: field('clusterGUID'),
      CLUSTERTYPE: field('clusterType'),
      CALICOVERSION: field('calicoVersion'),
      DATASTOREREADY: field('datastoreReady'),
    },
  ),
  GlobalNetworkPolicy: layout([], ['ORDER', 'SELECTOR'], POLICY),
  GlobalNetworkSet: layout([], ['NETS'], NETS),
  HostEndpoint: layout(['NODE'], ['NODE', 'INTERFACE', 'IPS', 'PROFILES'], {
    NODE: field('node'),
    INTERFACE: field('interfaceName'),
    IPS: field('expectedIPs'),
    PROFILES: field('profiles'),
  }),
  IPAMConfiguration: layout(Object.keys(IPAM_CONFIG), Object.keys(IPAM_CONFIG), IPAM_CONFIG),
  IPPool: layout(
    ['CIDR', 'SELECTOR'],
    ['CIDR', 'NAT', 'IPIPMODE', 'VXLANMODE', 'DISABLED', 'DISABLEBGPEXPORT', 'SELECTOR'],
    {
      CIDR: field('cidr'),
      NAT: field('natOutgoing', 'false'),
      IPIPMODE: field('ipipMode', 'Never'),
      VXLANMODE: field('vxlanMode', 'Never'),
      DISABLED: field('disabled', 'false'),
      DISABLEBGPEXPORT: field('disableBGPExport', 'false'),
      SELECTOR: field('nodeSelector', 'all()'),
    },
  ),
  IPReservation: layout(['CIDRS'], ['CIDRS'], { CIDRS: field('reservedCIDRs') }),
  NetworkPolicy: layout(['TIER'], ['TIER', 'ORDER', 'SELECTOR'], POLICY),
  NetworkSet: layout([], ['NETS'], NETS),
  Node: layout([], ['ASN', 'IPV4', 'IPV6'], {
    ASN: nodeAsNumber,
    IPV4: field('bgp.ipv4Address'),
    IPV6: field('bgp.ipv6Address'),
  }),
  Profile: layout([], ['LABELS'], { LABELS: field('labelsToApply') }),
  StagedGlobalNetworkPolicy: layout(['TIER'], ['TIER', 'ORDER', 'SELECTOR'], POLICY),
  StagedNetworkPolicy: layout(['TIER'], ['TIER', 'ORDER', 'SELECTOR'], POLICY),
  ClusterNetworkPolicy: layout(['TIER', 'PRIORITY'], ['TIER', 'PRIORITY'], PRIORITY),
  AdminNetworkPolicy: layout(['PRIORITY'], ['PRIORITY'], PRIORITY),
  Service: layout(['TYPE', 'CLUSTERIPS'], ['TYPE', 'CLUSTERIPS', 'EXTERNALIPS'], {
    TYPE: field('type', 'ClusterIP'),
    CLUSTERIPS: field('clusterIPs'),
    EXTERNALIPS: field('externalIPs'),
  }),
  Tier: layout(['ORDER'], ['ORDER'], { ORDER: field('order', '<nil>') }),
  WorkloadEndpoint: {
    ...layout([], ['WORKLOAD', 'NODE', 'NETWORKS', 'INTERFACE', 'PROFILES', 'NATS'], {
      WORKLOAD: ({ spec = {} }) => text(spec['workload'], text(spec['pod'], '')),
      ORCHESTRATOR: field('orchestrator'),
      NODE: field('node'),
      NETWORKS: field('ipNetworks'),
      INTERFACE: field('interfaceName'),
      PROFILES: field('profiles'),
      NATS: field('ipNATs'),
    }),
    // The only kind whose short table begins with something else: endpoint names are long and say it all again.
    narrow: ['WORKLOAD', 'NODE', 'NETWORKS', 'INTERFACE'],
  },
};

const PLAIN = layout([], [], {});

/** Kinds that are not listed (FelixConfiguration, BGPFilter, ...) show their names, as in calicoctl. */
export function layoutOf(kind: string): Layout {
  return Object.hasOwn(LAYOUTS, kind) ? (LAYOUTS[kind] ?? PLAIN) : PLAIN;
}
