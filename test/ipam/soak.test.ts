/** The soak of IPAM, short: enough that processes die in all their steps, and that dead ones left something to collect. */
import { expect } from 'chai';
import { EtcdServer } from '../etcd/server.ts';
import { soakIpam } from './soak.ts';

describe('IPAM on etcd with processes that are killed', function () {
  this.timeout(120_000);
  const etcd = new EtcdServer();

  before(() => etcd.start());
  after(() => etcd.remove());

  it('gives no address twice and loses none', async () => {
    const report = await soakIpam({
      location: `etcd://${etcd.endpoint}/soak`,
      processes: 6,
      ms: 8_000,
      killEveryMs: 500,
      atLeast: { attached: 50, kills: 6 },
    });
    expect(report.broken.join('\n')).to.equal('');
    expect(report.attached).to.be.at.least(50);
    expect(report.kills).to.be.at.least(6);
    expect(report.collected).to.be.greaterThan(0);
  });
});
