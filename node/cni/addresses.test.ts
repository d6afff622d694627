import { expect } from 'chai';
import { type IPPool, unwrap } from '../../api/index.ts';
import { SimulatedClock } from '../../clock/simulated.ts';
import { CniCode, type CniError, type CniFailure } from '../../cni-plugin/error.ts';
import { type NetConf, readNetConf } from '../../cni-plugin/netconf.ts';
import { SimulatedStore } from '../../datastore/simulated.ts';
import { Ipam } from '../../ipam/index.ts';
import { assertHeld, familiesOf, wishOf } from './addresses.ts';

function pool(cidr: string, extra: Partial<IPPool['spec']> = {}): IPPool {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name: 'p' },
    spec: {
      cidr,
      nodeSelector: 'all()',
      allowedUses: ['Workload', 'Tunnel'],
      assignmentMode: 'Automatic',
      ipipMode: 'Never',
      vxlanMode: 'Never',
      ...extra,
    },
  };
}

function conf(extra: object): NetConf {
  const read = readNetConf({ cniVersion: '1.0.0', name: 'net', ...extra }, {});
  if (!read.ok) throw new Error(read.error.msg);
  return read.value;
}

describe('IP versions of a workload', () => {
  const cases: readonly { it: string; pools: readonly IPPool[]; want: readonly number[] }[] = [
    { it: 'both, with a pool of each', pools: [pool('10.0.0.0/16'), pool('fd00::/64')], want: [4, 6] },
    { it: 'none of a disabled pool', pools: [pool('10.0.0.0/16', { disabled: true })], want: [] },
    { it: 'none of a pool for tunnels', pools: [pool('10.0.0.0/16', { allowedUses: ['Tunnel'] })], want: [] },
    {
      it: 'none of a pool that is given by hand',
      pools: [pool('10.0.0.0/16', { assignmentMode: 'Manual' })],
      want: [],
    },
    {
      it: 'none of a pool for other nodes',
      pools: [pool('fd00::/64', { nodeSelector: "rack == 'b'" }), pool('10.0.0.0/16')],
      want: [4],
    },
    {
      it: 'that of a pool for this node',
      pools: [pool('fd00::/64', { nodeSelector: "rack == 'a'" })],
      want: [6],
    },
  ];
  for (const { it: title, pools, want } of cases) {
    it(title, () => expect([...familiesOf(pools, { rack: 'a' })]).to.deep.equal(want));
  }

  const wishes: readonly { it: string; conf: object; given?: string; automatic: readonly number[] }[] = [
    { it: 'follow the pools when nothing is said', conf: {}, automatic: [4, 6] },
    {
      it: "follow Calico's switches",
      conf: { ipam: { assign_ipv4: 'true', assign_ipv6: 'false' } },
      automatic: [4],
    },
    { it: 'are wanted where pools are named', conf: { ipam: { ipv6_pools: ['p'] } }, automatic: [4, 6] },
    {
      it: 'are not drawn where an address is asked for',
      conf: { runtimeConfig: { ips: ['10.0.0.9'] } },
      given: '10.0.0.9',
      automatic: [6],
    },
    {
      it: 'are given even where the switch is off',
      conf: { ipam: { assign_ipv6: false }, runtimeConfig: { ips: ['fd00::9'] } },
      given: 'fd00::9',
      automatic: [4],
    },
  ];
  for (const { it: title, conf: extra, given = '', automatic } of wishes) {
    it(title, () => {
      const wish = wishOf(conf(extra), new Set([4, 6]));
      expect([wish.given.join(), wish.automatic]).to.deep.equal([given, automatic]);
    });
  }
});

describe('addresses of an ADD that took long', () => {
  it('are still its own', async () => expect(await checked('mine')).to.equal(undefined));

  for (const [holder, now] of [
    ['nobody', 'free'],
    ['other', 'held by other'],
  ] as const) {
    it(`are ${now} by now: the runtime is told to try again`, async () => {
      const error = await checked(holder);
      expect(error).to.include({ code: CniCode.tryAgainLater });
      expect((error as CniError).msg).to.contain(`is ${now} now`);
    });
  }
});

/** What checking the addresses of `mine` comes to when `holder` has them by now. */
async function checked(holder: string): Promise<unknown> {
  const store = new SimulatedStore();
  const key = { kind: 'IPPool', scope: '', name: 'p' };
  await store.commit([{ type: 'put', key, value: pool('10.0.0.0/24'), expect: 'absent' }]);
  const ipam = new Ipam(store, new SimulatedClock(), () => 0);
  const { v4 } = unwrap(await ipam.autoAssign({ host: 'a', handle: 'mine', v4: 1, v6: 0 }));
  if (holder !== 'mine') await ipam.releaseByHandle('mine');
  if (holder === 'other') await ipam.assign({ address: v4[0]!, host: 'a', handle: holder });
  return assertHeld({ ipam }, { handle: 'mine' }, v4).catch((error: unknown) => (error as CniFailure).error);
}
