/** get, ipam, node status, completion and version as a user types them, on a real datastore. */
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { type CommandLine, commandLine, endpoint, node, policy, pool, take, tier } from './testing.ts';

describe('poplin reads', () => {
  let poplin: CommandLine;
  beforeEach(() => (poplin = commandLine()));

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
      expect(plain).to.match(
        /\| IP Pool {2}\| 10\.0\.0\.0\/24 \| +256 \| +3 \(1%\) \| +0 \(0%\) \| +253 \(99%\) \| +0 \(0%\) \|/,
      );
      expect(plain).to.match(/\| IP Pool {2}\| fd00::\/64 +\| 1\.8447e\+19 \|/);
      expect(plain).not.to.contain('Block');
      expect((await poplin('ipam show --show-blocks')).out).to.match(
        /\| Block +\| 10\.0\.0\.\d+\/26 +\| +64 \| +3 \(5%\) \| +0 \(0%\) \| +61 \(95%\) \| +0 \(0%\) \| host:a1/,
      );
      expect(JSON.parse((await poplin('ipam show -o json')).out)).to.have.nested.property(
        'pools[0].inUse',
        '3',
      );
    });

    it('counts what is reserved, once, and what is reserved and in use', async () => {
      const [address = ''] = await take(poplin.folder, 'default/web', 1);
      await poplin(
        'apply -f -',
        reserved(`${address}, 10.0.0.248/30, 10.0.0.248/29, 10.1.0.0/16, "fd00::/65"`),
      );
      const { out } = await poplin('ipam show --show-blocks');
      expect(out).to.match(/10\.0\.0\.0\/24 +\| +256 \| +1 \(0%\) \| +9 \(4%\) \| +247 \(96%\) \| +0/);
      expect(out).to.match(/\| Block +\| \S+ +\| +64 \| +1 \(2%\) \| +1 \(2%\) \| +63 \(98%\) \|/);
      expect(out).to.match(
        /fd00::\/64 +\| 1\.8447e\+19 \| +0 \(0%\) \| 9\.2234e\+18 \(50%\) \| 9\.2234e\+18 \(50%\)/,
      );
    });

    it('tells who holds an address', async () => {
      const [address = ''] = await take(poplin.folder, 'default/web', 1);
      expect((await poplin(`ipam show --ip ${address}`)).out).to.equal(
        `IP ${address} is in use\nHandle ID: net.default-web\nActive Owner Attributes:\n  namespace: default\n  node: a1\n  pod: web\n`,
      );
      expect((await poplin('ipam show --ip=10.0.0.255')).out).to.equal('10.0.0.255 is not assigned\n');
      expect((await poplin('ipam show --ip=10.0.0.256')).code).to.equal(2);
    });

    it('finds what leaked, what nobody took, and nothing where all is well', async () => {
      const [address = ''] = await take(poplin.folder, 'default/web', 1);
      const leaked = await poplin('ipam check');
      expect(leaked.code).to.equal(0);
      expect(leaked.out)
        .to.contain('IPAM blocks record 1 allocations.\n')
        .and.contain('Found 1 IPs that are allocated in IPAM but not actually in use.\n')
        .and.contain('Check complete; found 1 problems.\n');
      expect(leaked.out).not.to.contain(`${address} leaked`);
      expect((await poplin('ipam check --show-problem-ips')).out).to.contain(
        `  ${address} leaked; attrs Main:net.default-web Extra:namespace=default,node=a1,pod=web\n`,
      );
      await poplin('apply -f -', endpoint(address));
      const sound = await poplin('ipam check');
      expect([sound.code, sound.err]).to.deep.equal([0, '']);
      expect(sound.out)
        .to.contain('Found 1 workload IPs.\n')
        .and.contain('Check complete; found 0 problems.\n');
      await poplin('apply -f -', endpoint('10.0.0.250'));
      expect((await poplin('ipam check --show-problem-ips')).out).to.contain(
        '  10.0.0.250 in use by Workload(default/a1-k8s-web-eth0) and in active IPAM pool but has no IPAM allocation.\n',
      );
      await poplin('apply -f -', endpoint('192.0.2.1'));
      expect((await poplin('ipam check')).out).to.contain(
        'Found 1 in-use IPs that are not in active IP pools.\n',
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
    expect(await tab('node ')).to.deep.equal(['init', 'status', 'install-cni']);
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
    expect((await poplin('version')).err).to.contain('there is no datastore at');
    await poplin('apply -f -', pool('lab', '10.0.0.0/16'));
    expect((await poplin('version')).out).to.contain('Cluster Version:   unknown');
  });

  it('does not make a datastore by looking for one', async () => {
    for (const line of ['get nodes', 'delete node a1', 'ipam show']) {
      const { code, out, err } = await poplin(line);
      expect({ code, out }, line).to.deep.equal({ code: 1, out: '' });
      expect(err).to.contain('there is no datastore at').and.contain('poplin apply');
    }
  });

  it('names a command that does not exist', async () => {
    const { code, err } = await poplin('frob');
    expect(code).to.equal(2);
    expect(err).to.contain('Unknown command: frob');
  });
});

function reserved(cidrs: string): string {
  return `apiVersion: projectcalico.org/v3\nkind: IPReservation\nmetadata: {name: r}\nspec: {reservedCIDRs: [${cidrs}]}\n`;
}
