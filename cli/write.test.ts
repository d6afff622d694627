/** apply, create, replace and delete as a user types them, on a real datastore. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { type CommandLine, commandLine, endpoint, node, policy, pool, take, tier } from './testing.ts';

describe('poplin writes', () => {
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

    it('tells of fields that are stored and do nothing, one line a resource, and programs too', async () => {
      const felix = 'apiVersion: projectcalico.org/v3\nkind: FelixConfiguration\nmetadata: {name: default}\n';
      const text = `${felix}spec: {bpfEnabled: true, bpfLogLevel: Debug, logPrefix: x}`;
      const first = await poplin('apply -f -', [text, pool('a', '10.0.0.0/16')].join('\n---\n'));
      expect(first.code).to.equal(0);
      expect(first.err).to.equal(
        'warning: FelixConfiguration/default: stored, not acted on: spec.bpfEnabled, spec.bpfLogLevel\n',
      );
      const { out, err } = await poplin('replace -o json -f -', text);
      expect(err).to.contain('stored, not acted on');
      expect(JSON.parse(out)).to.deep.equal([
        {
          apiVersion: 'projectcalico.org/v3',
          kind: 'FelixConfiguration',
          name: 'default',
          outcome: 'unchanged',
          notActedOn: ['spec.bpfEnabled', 'spec.bpfLogLevel'],
        },
      ]);
      expect((await poplin('get felixconfig default -o yaml')).out).to.contain('bpfLogLevel: Debug');
    });

    it('takes policies of Kubernetes, and shows them as Kubernetes has them', async () => {
      const text =
        'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: web, namespace: prod}\nspec: {podSelector: {}}';
      expect((await poplin('apply -f -', text)).code).to.equal(0);
      await poplin('apply -f -', policy('web', '', 'prod'));
      const shown = await poplin('get knp web -n prod -o yaml');
      expect(parse(shown.out)).to.deep.include({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        spec: { podSelector: {}, policyTypes: ['Ingress'] },
      });
      expect((await poplin('replace -f -', shown.out)).out).to.contain('1 unchanged');
      expect((await poplin('get knp -A -o name')).out).to.equal('networkpolicy.networking.k8s.io/web\n');
      const list = parse((await poplin('get knp -A -o yaml')).out) as object;
      expect(list).to.deep.include({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicyList' });
      expect((await poplin('delete knp web -n prod')).code).to.equal(0);
      expect((await poplin('get np -A -o name')).out).to.equal('networkpolicy.projectcalico.org/web\n');
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
      expect((await poplin('replace -f -', tier)).err).to.contain('there is no datastore at');
      await poplin('create -f -', pool('a', '10.0.0.0/16'));
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
});
