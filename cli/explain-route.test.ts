import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { controlRoutes } from '../bgpd/daemon/control.ts';
import type { Subject } from '../bgpd/daemon/subject.ts';
import { World, configOf, peerOf } from '../bgpd/speaker/testing/world.ts';
import { type ControlServer, serveControl } from '../daemon/control.ts';
import { controlRoute } from '../felix-lite/daemon/control-route.ts';
import type { RouteExplanation } from '../felix-lite/routing/explain.ts';
import { alarmsOf, type BestRoute } from './output/explain-route.ts';
import { commandLine, type CommandLine } from './testing.ts';

const POOL = {
  pool: 'pool',
  cidr: '10.1.0.0/16',
  encapsulation: 'ipip',
  crossSubnet: true,
  writer: 'bgpd',
} as const;

const EXPLAINED: RouteExplanation = {
  to: '10.1.2.3',
  node: 'm',
  pool: POOL,
  block: { cidr: '10.1.0.0/16', node: 'a' },
  kernel: {
    route: '10.1.0.0/16 via 10.0.0.2 dev tunl0 onlink proto 80',
    destination: '10.1.0.0/16',
    owner: 'bgpd',
    source: '10.1.9.1',
  },
  problems: [],
  alarms: [],
};

const best = (prefix: string, installed?: BestRoute['installed']): BestRoute => ({
  prefix,
  paths: [],
  installed,
});

describe('where the kernel does not do what is wanted', () => {
  const { kernel: _, ...nowhere } = EXPLAINED;
  const by = (destination: string, owner: string): RouteExplanation => ({
    ...EXPLAINED,
    kernel: { route: `${destination} dev eth0`, destination, owner },
  });
  const cases: readonly {
    readonly it: string;
    readonly felix: RouteExplanation;
    readonly bgp: BestRoute | undefined;
    readonly alarm: RegExp | undefined;
  }[] = [
    { it: 'it does', felix: EXPLAINED, bgp: best('10.1.0.0/16', { state: 'installed' }), alarm: undefined },
    { it: 'nobody has an opinion', felix: by('0.0.0.0/0', 'static'), bgp: undefined, alarm: undefined },
    {
      it: 'refused',
      felix: nowhere,
      bgp: best('10.1.0.0/16', { state: 'refused', reason: 'unreachable' }),
      alarm: /^bgpd's route to 10\.1\.0\.0\/16 is refused: unreachable$/,
    },
    {
      it: 'a stranger stands there',
      felix: by('10.1.0.0/16', 'static'),
      bgp: best('10.1.0.0/16', { state: 'yielded', reason: '10.1.0.0/16 proto 4' }),
      alarm: /is yielded/,
    },
    {
      it: 'felix-lite writes it',
      felix: by('10.1.0.0/16', 'felix-lite'),
      bgp: best('10.1.0.0/16', {
        state: 'yielded',
        reason: "routes of IPPool pool are felix-lite's to write",
      }),
      alarm: undefined,
    },
    {
      it: 'a more specific route of somebody else',
      felix: by('10.1.2.3/32', 'static'),
      bgp: best('10.1.0.0/16', { state: 'installed' }),
      alarm: /^bgpd's best is 10\.1\.0\.0\/16, and the kernel goes by 10\.1\.2\.3\/32/,
    },
    {
      it: 'a workload of this node lives there',
      felix: by('10.1.2.3/32', 'workload'),
      bgp: best('10.1.0.0/16', { state: 'installed' }),
      alarm: undefined,
    },
    {
      it: 'bgpd has no such path any more',
      felix: EXPLAINED,
      bgp: undefined,
      alarm: /of bgpd's protocol, and bgpd has no path/,
    },
    {
      it: 'gone without a word',
      felix: nowhere,
      bgp: best('10.1.0.0/16', { state: 'installed' }),
      alarm: /it is not there$/,
    },
  ];
  for (const { it: title, felix, bgp, alarm } of cases)
    it(title, () => {
      const alarms = alarmsOf(felix, bgp);
      if (alarm === undefined) expect(alarms).to.deep.equal([]);
      else expect(alarms.join('\n')).to.match(alarm);
    });
});

describe('poplin explain route', () => {
  let poplin: CommandLine;
  let where: string;
  let runDir: string;
  const controls: ControlServer[] = [];
  let explained: RouteExplanation | undefined;

  beforeEach(() => {
    poplin = commandLine();
    runDir = join(poplin.folder, 'run');
    mkdirSync(runDir);
    where = `--run-dir ${runDir}`;
    explained = EXPLAINED;
  });
  afterEach(() => Promise.all(controls.splice(0).map((control) => control.close())));

  async function daemons(): Promise<void> {
    const world = new World();
    const m = world.router('m', 65000, '10.0.0.1');
    const a = world.router('a', 65001, '10.0.0.2');
    m.speaker.configure(configOf(m, [peerOf(m, a)]));
    a.speaker.configure(configOf(a, [peerOf(a, m)], ['10.1.0.0/16']));
    world.connect(m, a);
    const engine = { speaker: m.speaker, clock: world.clock, fib: undefined, startedAt: 0 };
    const subject = { node: 'm', engine: engine as unknown as Subject['engine'], synced: true, problems: [] };
    controls.push(
      await serveControl(join(runDir, 'bgpd.sock'), controlRoutes(subject)),
      await serveControl(
        join(runDir, 'felix.sock'),
        controlRoute({ explain: () => Promise.resolve(explained) }),
      ),
    );
  }

  it('says what each has for the address', async () => {
    await daemons();
    const { code, out, err } = await poplin(`explain route 10.1.2.3 ${where}`);
    expect(err).to.equal('');
    expect(code).to.equal(0);
    expect(out.split('\n')).to.deep.equal([
      'Node m, packets to 10.1.2.3',
      '  address: in IPPool pool (10.1.0.0/16), IPIP between subnets; its routes are written by bgpd',
      '  block: 10.1.0.0/16 of node a',
      '  wanted by felix-lite: nothing',
      '  kernel: 10.1.0.0/16 via 10.0.0.2 dev tunl0 onlink proto 80 (bgpd), sent from 10.1.9.1',
      '  BGP: 10.1.0.0/16 by 10.0.0.2 from a; installed',
      '',
    ]);
  });

  it('ends with an alarm where there is one', async () => {
    await daemons();
    explained = { ...EXPLAINED, alarms: ['the kernel does otherwise'] };
    const { code, err } = await poplin(`explain route 10.1.2.3 -o json ${where}`);
    expect(code).to.equal(3);
    expect(err).to.equal('ALARM: m: the kernel does otherwise\n');
  });

  it('says who does not answer, and refuses what is no address', async () => {
    const alone = await poplin(`explain route 10.1.2.3 ${where}`);
    expect(alone.code).to.equal(1);
    expect(alone.out).to.match(/felix-lite does not say: .*\n {2}BGP: bgpd does not say: /);
    await daemons();
    explained = undefined;
    expect((await poplin(`explain route 10.1.2.3 ${where}`)).out).to.contain(
      'has not seen the datastore in full',
    );
    const wrong = await poplin(`explain route 10.1.2.300 ${where}`);
    expect(wrong.code).to.equal(2);
    expect(wrong.err).to.contain('"10.1.2.300" is no address');
  });
});
