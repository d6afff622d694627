import { expect } from 'chai';
import fc from 'fast-check';
import { validate, type WorkloadEndpoint } from '../../api/index.ts';
import type { Invocation } from '../../cni-plugin/environment.ts';
import { readNetConf } from '../../cni-plugin/netconf.ts';
import { Address } from '../../net/addr/index.ts';
import { type Attachment, attachmentOf } from './attachment.ts';
import { belongsTo, endpointFor, recordOf } from './endpoint.ts';

const RANDOM_ID = '4f1c9a'.padEnd(64, '0');

function attachment(extra: Partial<Invocation> = {}, network = 'k8s-pod-network'): Attachment {
  const invocation: Invocation = {
    command: 'ADD',
    containerId: RANDOM_ID,
    netns: '/run/netns/x',
    ifName: 'eth0',
    args: {},
    path: [],
    ...extra,
  };
  const made = attachmentOf('worker-1', network, invocation);
  if (!made.ok) throw new Error(made.error.msg);
  return made.value;
}

const pod = { K8S_POD_NAMESPACE: 'default', K8S_POD_NAME: 'web-0' };

function endpoint(one: Attachment, conf: object = {}): WorkloadEndpoint {
  const read = readNetConf({ cniVersion: '1.0.0', name: one.network, ...conf }, {});
  if (!read.ok) throw new Error(read.error.msg);
  const addresses = ['10.244.7.66', 'fd00::1'].flatMap((text) => Address.parse(text) ?? []);
  return endpointFor(one, read.value, 'worker-1', { addresses, mac: '02:00:00:00:00:01', netns: '4:77' });
}

describe('names of an attachment', () => {
  it("are Calico's for the first interface of a pod", () => {
    expect(attachment({ args: pod })).to.include({
      endpoint: 'worker--1-k8s-web--0-eth0',
      handle: `k8s-pod-network.${RANDOM_ID}`,
      hostInterface: 'cali0d7763386da',
    });
  });

  it("are Calico's for any other container with a random id", () => {
    expect(attachment()).to.deep.include({
      workload: { orchestrator: 'cni', namespace: 'default' },
      endpoint: `worker--1-cni-${RANDOM_ID}-eth0`,
      hostInterface: 'cali4f1c9a00000',
    });
  });

  it('treat what podman sends (a name, no namespace) as no pod', () => {
    expect(attachment({ args: { K8S_POD_NAME: 'web-0' } }).workload).to.deep.equal({
      orchestrator: 'cni',
      namespace: 'default',
    });
  });

  it('differ for containers whose ids begin alike, and for each interface of one', () => {
    const all = [
      attachment({ containerId: 'default-web-1' }),
      attachment({ containerId: 'default-web-2' }),
      attachment({ args: pod }),
      attachment({ args: pod, ifName: 'net1' }),
      attachment({ args: pod, ifName: 'net2' }),
      attachment({ args: pod, ifName: 'net1', containerId: 'b'.repeat(64) }, 'second'),
    ];
    for (const key of ['hostInterface', 'handle'] as const)
      expect(new Set(all.map((one) => one[key])).size, key).to.equal(all.length);
  });

  it('give an endpoint that is a valid resource, whatever the runtime calls its containers', () => {
    const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,100}$/);
    const ifName = fc
      .stringMatching(/^[A-Za-z0-9_.-]{1,15}$/)
      .filter((name) => name !== '.' && name !== '..');
    fc.assert(
      fc.property(id, ifName, id, fc.constantFrom({}, pod), (containerId, name, network, args) => {
        const one = attachment({ containerId, ifName: name, args }, network);
        const checked = validate(endpoint(one));
        expect(checked.ok ? [] : checked.problems).to.deep.equal([]);
        expect(one.hostInterface).to.match(/^cali[0-9a-f]{11}$/);
      }),
    );
  });

  it('are refused for a pod that can name nothing', () => {
    const made = attachmentOf('worker-1', 'net', {
      command: 'ADD',
      containerId: 'a',
      netns: '',
      ifName: 'eth0',
      path: [],
      args: { ...pod, K8S_POD_NAME: '-x' },
    });
    expect(made.ok).to.equal(false);
  });
});

describe('the endpoint of an attachment', () => {
  it('says what the agent needs to know it again', () => {
    const one = attachment({ args: pod });
    const made = endpoint(one);
    expect(recordOf(made)).to.deep.equal({
      network: 'k8s-pod-network',
      containerId: RANDOM_ID,
      ifName: 'eth0',
      handle: one.handle,
      netns: '4:77',
    });
    expect(belongsTo(made, one)).to.equal(true);
    expect(belongsTo(made, attachment({ args: pod, containerId: 'b'.repeat(64) }))).to.equal(false);
    expect(belongsTo(made, attachment({ args: pod }, 'other'))).to.equal(false);
  });

  it("without a record is somebody else's, and was Calico's when the container is the same", () => {
    const made = endpoint(attachment({ args: pod }));
    const { annotations: _, ...metadata } = made.metadata;
    const calicos = { ...made, metadata };
    expect(recordOf(calicos)).to.equal(undefined);
    expect(belongsTo(calicos, attachment({ args: pod }))).to.equal(true);
    expect(belongsTo(calicos, attachment({ args: pod, containerId: 'b'.repeat(64) }))).to.equal(false);
  });

  it('lets no label of a configuration stand in for what identifies the endpoint', () => {
    const labels = [{ key: 'projectcalico.org/namespace', value: 'kube-system' }];
    const made = endpoint(attachment({ args: pod }), { args: { cni: { labels } } });
    expect(made.metadata.labels).to.include({ 'projectcalico.org/namespace': 'default' });
  });

  it('has the ports that the runtime maps', () => {
    const portMappings = [
      { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
      { hostPort: 0, containerPort: 81, protocol: 'tcp' },
    ];
    expect(endpoint(attachment({ args: pod }), { runtimeConfig: { portMappings } }).spec.ports).to.deep.equal(
      [{ protocol: 'TCP', port: 80, hostPort: 8080, hostIP: '' }],
    );
  });
});
