/** Commands as a user types them, on a real datastore. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { SystemClock } from '../clock/system.ts';
import { openStore } from '../datastore/index.ts';
import { Ipam } from '../ipam/index.ts';
import { type CommandLine, commandLine } from './testing.ts';

const pool = (name: string, cidr: string, extra = ''): string =>
  `apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: ${name}}\nspec: {cidr: "${cidr}"${extra}}\n`;
const policy = (name: string, extra = '', namespace = ''): string =>
  `apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: ${name}${namespace === '' ? '' : `, namespace: ${namespace}`}}\nspec: {selector: "role == 'web'"${extra}}\n`;
const tier = `apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: platform}\nspec: {order: 100}\n`;
const node = `apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: a1, labels: {rack: a}}\nspec: {bgp: {asNumber: 65101, ipv4Address: 10.0.0.1/24}}\n`;

describe('poplin', () => {
  let poplin: CommandLine;
  beforeEach(() => (poplin = commandLine()));

  describe('apply, create, replace', () => {
    it('applies several documents of standard input in one go, and says what happened to them', async () => {
      const first = await poplin('apply -f -', [pool('a', '10.0.0.0/16'), node].join('---\n'));
      expect(first).to.deep.equal({
        code: 0,
        out: 'Successfully applied 2 resource(s): 2 created\n',
        err: '',
      });
      const again = await poplin(
        'apply -f -',
        [pool('a', '10.0.0.0/16'), pool('b', '10.1.0.0/16')].join('---\n'),
      );
      expect(again.out).to.equal("Successfully applied 2 'IPPool' resource(s): 1 created, 1 unchanged\n");
    });

    it('reads the manifests of a folder, by name, and of folders inside it when told to', async () => {
      mkdirSync(join(poplin.folder, 'm/deep'), { recursive: true });
      writeFileSync(join(poplin.folder, 'm/20-policy.yml'), policy('web', ', tier: platform'));
      writeFileSync(join(poplin.folder, 'm/10-tier.yaml'), tier);
      writeFileSync(join(poplin.folder, 'm/30-pool.json'), JSON.stringify(parse(pool('a', '10.0.0.0/16'))));
      writeFileSync(join(poplin.folder, 'm/notes.txt'), 'not a manifest');
      writeFileSync(join(poplin.folder, 'm/deep/b.yaml'), pool('b', '10.1.0.0/16'));
      expect((await poplin(`apply -f ${poplin.folder}/m`)).out).to.contain(
        'applied 3 resource(s): 3 created',
      );
      expect((await poplin(`apply -R -f ${poplin.folder}/m`)).out).to.contain(
        'applied 4 resource(s): 1 created, 3 unchanged',
      );
    });

    it('puts what has no namespace into the one of -n, or into default', async () => {
      await poplin('apply -f -', policy('one'));
      await poplin('apply -n prod -f -', policy('two'));
      await poplin('apply -f -', policy('three', '', 'shop'));
      const { out } = await poplin('get np -A -o custom-columns=namespace,name');
      expect(out).to.equal('NAMESPACE   NAME\ndefault     one\nprod        two\nshop        three\n\n');
      const clash = await poplin('apply -n prod -f -', policy('three', '', 'shop'));
      expect(clash.code).to.equal(2);
      expect(clash.err).to.contain('NetworkPolicy three is of namespace shop, and --namespace says prod');
    });

    it('creates what is new and refuses what exists, unless told to leave it', async () => {
      expect((await poplin('create -f -', tier)).out).to.contain("Successfully created 1 'Tier' resource(s)");
      const twice = await poplin('create -f -', [pool('a', '10.0.0.0/16'), tier].join('---\n'));
      expect(twice.code).to.equal(1);
      expect(twice.err)
        .to.contain('Tier/platform')
        .and.contain('exists already')
        .and.contain('Nothing was changed.');
      expect((await poplin('get ippools -o name')).out).to.equal('');
      const skipped = await poplin(
        'create --skip-exists -f -',
        [pool('a', '10.0.0.0/16'), tier].join('---\n'),
      );
      expect(skipped.out).to.contain('created 2 resource(s): 1 created, 1 left as they are');
    });

    it('replaces what exists and refuses what does not', async () => {
      expect((await poplin('replace -f -', tier)).err).to.contain('does not exist');
      await poplin('create -f -', tier);
      expect((await poplin('replace -f -', tier.replace('100', '200'))).out).to.contain('1 updated');
      expect((await poplin('get tier platform -o json')).out).to.contain('"order": 200');
    });

    const bad: readonly { it: string; text: string; says: readonly string[] }[] = [
      {
        it: 'an unknown field',
        text: pool('b', '10.1.0.0/16', ', natOutgoin: true'),
        says: ['spec.natOutgoin', 'natOutgoing', 'document 2'],
      },
      { it: 'a wrong CIDR', text: pool('b', '10.1.0.0/33'), says: ['spec.cidr', '10.1.0.0/33'] },
      { it: 'overlapping pools', text: pool('b', '10.0.1.0/24'), says: ['IPPool/b', '10.0.1.0/24'] },
      {
        it: 'a selector that does not parse',
        text: policy('p', '').replace("'web'", "'web"),
        says: ['spec.selector', 'role =='],
      },
      {
        it: 'a kind that is none',
        text: 'apiVersion: projectcalico.org/v3\nkind: IPPol\n',
        says: ['IPPol', 'IPPool'],
      },
      { it: 'a policy of a tier that is not there', text: policy('p', ', tier: nowhere'), says: ['nowhere'] },
      { it: 'YAML that is none', text: 'a: [1,\n', says: ['standard input', 'document 2'] },
      {
        it: 'what Poplin keeps itself',
        text: 'apiVersion: projectcalico.org/v3\nkind: ClusterInformation\nmetadata: {name: default}\nspec: {}\n',
        says: ['ClusterInformation'],
      },
    ];
    for (const { it: title, text, says } of bad) {
      it(`refuses ${title} by document, field, value and remedy, and writes nothing of the rest`, async () => {
        const ran = await poplin('apply -f -', [pool('a', '10.0.0.0/16'), text].join('---\n'));
        expect(ran.code).to.equal(1);
        for (const word of says) expect(ran.err).to.contain(word);
        expect(ran.err).to.contain('to mend it:').and.contain('Nothing was changed.');
        expect(ran.out).to.equal('');
        expect((await poplin('get ippools -o name')).out).to.equal('');
      });
    }

    it('tells the problems of all files at once', async () => {
      writeFileSync(join(poplin.folder, 'a.yaml'), pool('a', 'nonsense'));
      writeFileSync(join(poplin.folder, 'b.yaml'), pool('b', '10.0.0.0/99'));
      const { err } = await poplin(`apply -f ${poplin.folder}/a.yaml -f ${poplin.folder}/b.yaml`);
      expect(err)
        .to.match(/a\.yaml:\d+:\d+/)
        .and.match(/b\.yaml:\d+:\d+/);
    });

    it('says that a file is missing or empty', async () => {
      expect(await poplin('apply -f /nowhere.yaml'))
        .to.include({ code: 1 })
        .and.have.property('err')
        .that.contains('there is no file /nowhere.yaml');
      writeFileSync(join(poplin.folder, 'empty.yaml'), '# nothing\n');
      expect((await poplin(`apply -f ${poplin.folder}/empty.yaml`)).err).to.contain(
        'there is no resource in',
      );
      expect((await poplin(`apply --skip-empty -f ${poplin.folder}/empty.yaml`)).code).to.equal(0);
      expect((await poplin('apply')).code).to.equal(2);
    });

    it('says that a datastore of another kind is not to be had yet', async () => {
      const ran = await poplin('get nodes --datastore etcd://127.0.0.1:2379');
      expect(ran.code).to.equal(1);
      expect(ran.err).to.contain('etcd').and.contain('to mend it:');
    });
  });

  describe('get', () => {
    beforeEach(async () => {
      await poplin(
        'apply -f -',
        [
          pool('a', '10.0.0.0/16'),
          pool('b', 'fd00::/64'),
          node,
          tier,
          policy('web', ', order: 7', 'shop'),
        ].join('---\n'),
      );
    });

    const tables: readonly { line: string; want: string }[] = [
      { line: 'get nodes', want: 'NAME\na1\n\n' },
      { line: 'get no -o wide', want: 'NAME   ASN     IPV4          IPV6\na1     65101   10.0.0.1/24\n\n' },
      {
        line: 'get IPPool',
        want: 'NAME   CIDR          SELECTOR\na      10.0.0.0/16   all()\nb      fd00::/64     all()\n\n',
      },
      { line: 'get pools b -o custom-columns=NAME,NAT', want: 'NAME   NAT\nb      false\n\n' },
      {
        line: 'get networkpolicy -n shop -o wide',
        want: "NAMESPACE   NAME   TIER      ORDER   SELECTOR\nshop        web    default   7       role == 'web'\n\n",
      },
      { line: 'get policy', want: 'NAME   TIER\n\n' },
      { line: 'get tiers,nodes', want: 'NAME       ORDER\nplatform   100\n\nNAME\na1\n\n' },
      { line: 'get ippools -o name', want: 'ippool.projectcalico.org/a\nippool.projectcalico.org/b\n' },
    ];
    for (const { line, want } of tables) {
      it(line, async () => expect(await poplin(line)).to.deep.equal({ code: 0, out: want, err: '' }));
    }

    it('prints YAML and JSON that can be applied again', async () => {
      for (const [line, format] of [
        ['get ippool a -o yaml', 'yaml'],
        ['get ippool a b -o json', 'json'],
        ['get ippools -o yaml', 'yaml'],
        ['get ippools,nodes -o json', 'json'],
        ['get networkpolicy -A -o yaml', 'yaml'],
      ] as const) {
        const { out } = await poplin(line);
        if (format === 'json') JSON.parse(out);
        const again = await poplin('apply -f -', out);
        expect(again.out, line).to.match(/: \d+ unchanged\n$/);
      }
    });

    it('gives one resource alone, and a kind in its list', async () => {
      expect(parse((await poplin('get ippool a -o yaml')).out)).to.have.nested.property(
        'spec.cidr',
        '10.0.0.0/16',
      );
      const list = JSON.parse((await poplin('get ippools -o json')).out) as {
        kind: string;
        items: unknown[];
      };
      expect(list.kind).to.equal('IPPoolList');
      expect(list.items).to.have.length(2);
    });

    it('leaves out what belongs to this datastore with --export', async () => {
      const { out } = await poplin('get networkpolicy web -n shop -o json --export');
      expect((JSON.parse(out) as { metadata: object }).metadata).to.deep.equal({
        name: 'web',
        namespace: 'shop',
        labels: { 'projectcalico.org/tier': 'default' },
      });
    });

    it('shows what it found, and fails for what it did not', async () => {
      const ran = await poplin('get ippool a nope -o name');
      expect(ran).to.include({ code: 1, out: 'ippool.projectcalico.org/a\n' });
      expect(ran.err).to.contain('IPPool/nope').and.contain('does not exist');
    });

    it('shows what of a file is in the datastore', async () => {
      const ran = await poplin('get -f - -o name', [pool('a', '10.0.0.0/16'), tier].join('---\n'));
      expect(ran.out).to.equal('ippool.projectcalico.org/a\ntier.projectcalico.org/platform\n');
    });

    it("shows a node's AS number in brackets when it is the cluster's", async () => {
      await poplin('apply -f -', node.replace('asNumber: 65101, ', ''));
      expect((await poplin('get nodes -o wide')).out).to.contain('(64512)');
    });

    for (const { line, says } of [
      { line: 'get', says: 'name a kind' },
      { line: 'get nonsense', says: 'is not a kind of resource' },
      { line: 'get nodes -n shop', says: 'Node is not namespaced' },
      { line: 'get np -n shop -A', says: 'exclude each other' },
      { line: 'get nodes -o html', says: 'is no output format' },
      { line: 'get nodes -o custom-columns=COLOUR', says: 'has no column COLOUR' },
      { line: 'get nodes,pools a', says: 'names go with one kind' },
    ]) {
      it(`refuses: ${line}`, async () => {
        const ran = await poplin(line);
        expect(ran).to.include({ code: 2, out: '' });
        expect(ran.err).to.contain(says);
      });
    }
  });

  describe('delete', () => {
    it('deletes all that is named, or nothing', async () => {
      await poplin('apply -f -', [pool('a', '10.0.0.0/16'), pool('b', '10.1.0.0/16')].join('---\n'));
      const half = await poplin('delete ippool a nope');
      expect(half.code).to.equal(1);
      expect(half.err).to.contain('IPPool/nope').and.contain('Nothing was changed.');
      expect((await poplin('get ippools -o name')).out.split('\n')).to.have.length(3);
      expect((await poplin('delete ippool a nope -s')).out).to.equal(
        "Successfully deleted 2 'IPPool' resource(s)\n",
      );
      expect((await poplin('delete -f -', pool('b', '10.1.0.0/16'))).code).to.equal(0);
      expect((await poplin('get ippools -o name')).out).to.equal('');
    });

    it('refuses a tier that holds policies, and lets it go together with them', async () => {
      await poplin('apply -f -', [tier, policy('web', ', tier: platform')].join('---\n'));
      const refused = await poplin('delete tier platform');
      expect(refused.code).to.equal(1);
      expect(refused.err).to.contain('platform');
      expect(
        (await poplin('delete -f -', [tier, policy('web', ', tier: platform')].join('---\n'))).code,
      ).to.equal(0);
    });

    it('refuses the default tier', async () => {
      await poplin('apply -f -', tier.replace('platform', 'default').replace('100', '1000000'));
      expect((await poplin('delete tier default')).err)
        .to.contain('Tier/default')
        .and.contain('cannot be deleted');
    });

    it('warns of a pool whose addresses are in use, and of a node with workloads', async () => {
      await poplin('apply -f -', [pool('a', '10.0.0.0/16'), node].join('---\n'));
      await take(poplin.folder, 'default/web', 1);
      await poplin('apply -f -', endpoint('10.0.0.9'));
      expect((await poplin('delete ippool a')).err).to.contain('warning: IPPool a had 1 addresses in use');
      expect((await poplin('delete node a1')).err).to.contain(
        'warning: Node a1 still has 1 workload endpoints',
      );
    });
  });

  describe('ipam', () => {
    beforeEach(
      async () =>
        void (await poplin(
          'apply -f -',
          [pool('a', '10.0.0.0/24'), pool('b', 'fd00::/64'), node].join('---\n'),
        )),
    );

    it('shows how full the pools are, and which node has which block', async () => {
      await take(poplin.folder, 'default/web', 3);
      const plain = (await poplin('ipam show')).out;
      expect(plain).to.match(/\| IP Pool {2}\| 10\.0\.0\.0\/24 \| +256 \| +3 \(1%\) \| +253 \(99%\) \|/);
      expect(plain).to.match(/\| IP Pool {2}\| fd00::\/64 +\| 1\.8447e\+19 \|/);
      expect(plain).not.to.contain('Block');
      expect((await poplin('ipam show --show-blocks')).out).to.match(
        /\| Block +\| 10\.0\.0\.\d+\/26 +\| +64 \| +3 \(5%\) \| +61 \(95%\) \| host:a1/,
      );
      expect(JSON.parse((await poplin('ipam show -o json')).out)).to.have.nested.property(
        'pools[0].inUse',
        '3',
      );
    });

    it('tells who holds an address', async () => {
      const [address = ''] = await take(poplin.folder, 'default/web', 1);
      expect((await poplin(`ipam show --ip ${address}`)).out).to.equal(
        `IP ${address} is in use\nHandle ID: net.default-web\nAttributes:\n  namespace: default\n  node: a1\n  pod: web\n`,
      );
      expect((await poplin('ipam show --ip=10.0.0.255')).out).to.equal('10.0.0.255 is not assigned\n');
      expect((await poplin('ipam show --ip=10.0.0.256')).code).to.equal(2);
    });

    it('finds what leaked, what nobody took, and nothing where all is well', async () => {
      const [address = ''] = await take(poplin.folder, 'default/web', 1);
      const leaked = await poplin('ipam check');
      expect(leaked.code).to.equal(1);
      expect(leaked.out).to.contain(`${address}: held by net.default-web, used by no workload endpoint`);
      await poplin('apply -f -', endpoint(address));
      expect(await poplin('ipam check')).to.deep.equal({
        code: 0,
        out: 'Every address that is taken is used, and every address that is used is taken.\n',
        err: '',
      });
      await poplin('apply -f -', endpoint('10.0.0.250'));
      expect((await poplin('ipam check')).out).to.contain(
        '10.0.0.250: used by default/a1-k8s-web-eth0, held by nobody',
      );
    });
  });

  describe('node status', () => {
    it('shows the sessions of both families, and says which daemon is silent', async () => {
      const runDir = join(poplin.folder, 'run');
      mkdirSync(runDir);
      const peer = {
        name: 'tor-a',
        asn: 65001,
        sinceSeconds: 3661,
        prefixesReceived: 4,
        prefixesAccepted: 4,
        prefixesAdvertised: 1,
        lastError: null,
      };
      const status = {
        node: 'a1',
        peers: [
          { ...peer, address: '10.0.0.254', state: 'Established' },
          { ...peer, address: 'fd00::fe', state: 'Active', lastError: 'connection refused' },
        ],
      };
      const server = createServer((_request, response) => response.end(JSON.stringify(status)));
      await new Promise<void>((resolve) => server.listen(join(runDir, 'bgpd.sock'), resolve));
      try {
        const ran = await poplin(`node status --run-dir ${runDir}`);
        expect(ran.code).to.equal(1);
        expect(ran.out).to.contain('Node a1').and.contain('The node agent does not answer');
        expect(ran.out).to.match(
          /IPv4 BGP status[\s\S]*\| 10\.0\.0\.254 +\| 65001 \| tor-a \| up +\| 01:01:01 \| Established \| +4 \| +1 \|/,
        );
        expect(ran.out).to.match(
          /IPv6 BGP status[\s\S]*\| fd00::fe +\| 65001 \| tor-a \| start \|.*Active: connection refused/,
        );
        const json = JSON.parse((await poplin(`node status --run-dir ${runDir} -o json`)).out) as object;
        expect(json).to.have.nested.property('daemons.bgpd.status.peers[0].asn', 65001);
      } finally {
        server.close();
      }
    });
  });

  it('completes commands, options, kinds and names', async () => {
    await poplin('apply -f -', [pool('lab-a', '10.0.0.0/16'), pool('lab-b', '10.1.0.0/16')].join('---\n'));
    const tab = async (line: string): Promise<string[]> =>
      (await poplin(`--complete ${line}`)).out.split('\n').slice(0, -1);
    expect(await tab('de')).to.deep.equal(['delete']);
    expect(await tab('node ')).to.deep.equal(['status']);
    expect(await tab('apply --rec')).to.deep.equal(['--recursive']);
    expect(await tab('get ippo')).to.deep.equal(['ippools']);
    expect(await tab('get ippools lab')).to.deep.equal(['lab-a', 'lab-b']);
    expect(await tab('ipam show -o ')).to.deep.equal(['table', 'json', 'yaml']);
    for (const shell of ['', ' bash', ' zsh'])
      expect((await poplin(`completion${shell}`)).out).to.contain('poplin --complete');
    expect((await poplin('completion fish')).code).to.equal(2);
  });

  it('tells its version, and that of the cluster where there is one', async () => {
    expect((await poplin('version --client')).out).to.match(/^Client Version: {4}v\d+\.\d+\.\d+\n$/);
    expect((await poplin('version')).out).to.contain('Cluster Version:   unknown');
  });
});

async function take(folder: string, pod: string, count: number): Promise<string[]> {
  const store = await openStore(join(folder, 'datastore.db'));
  try {
    const [namespace = '', name = ''] = pod.split('/');
    const assigned = await new Ipam(store, new SystemClock(), Math.random).autoAssign({
      host: 'a1',
      handle: `net.${namespace}-${name}`,
      attributes: { node: 'a1', namespace, pod: name },
      v4: count,
      v6: 0,
    });
    if (!assigned.ok) throw new Error(JSON.stringify(assigned.problems));
    return assigned.value.v4.map(String);
  } finally {
    await store.close();
  }
}

function endpoint(address: string): string {
  return `apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: a1-k8s-web-eth0, namespace: default}
spec: {orchestrator: k8s, node: a1, pod: web, endpoint: eth0, interfaceName: cali0123456789a, ipNetworks: ["${address}/32"]}
`;
}
