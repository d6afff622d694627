/** Token buckets from limits. */
import { expect } from 'chai';
import { limitsOf, mayShapeAtOnce } from './limits.ts';

describe('cni: limits of a workload', () => {
  it('are none where none is set, or what is set lets nothing through', () => {
    expect(limitsOf({}, 1500)).to.deep.equal({});
    expect(
      limitsOf({ ingressPacketRate: 100, dscp: 20, egressBurst: 1000, egressBandwidth: 7 }, 1500),
    ).to.deep.equal({});
  });

  it('count octets, and wait no longer than Calico lets packets wait', () => {
    const limits = limitsOf({ ingressBandwidth: 8_000_000, ingressBurst: 800_000 }, 1500);
    expect(limits).to.deep.equal({ toWorkload: { rate: 1_000_000, burst: 100_000, limit: 125_000 } });
  });

  it('hold a packet, however small the burst', () => {
    expect(limitsOf({ egressBandwidth: 8000, egressBurst: 8 }, 1500).fromWorkload?.burst).to.equal(1514);
  });

  it("let no workload fill Calico's default burst with packets that wait", () => {
    const limits = limitsOf({ egressBandwidth: 8_000_000, egressBurst: 2 ** 32 }, 1500);
    expect(limits.fromWorkload).to.include({ burst: 2 ** 29, limit: 25_000 + 256 * 1024 });
  });

  it('keep a burst to its peak rate, if that is above the rate', () => {
    const qos = { ingressBandwidth: 8000, ingressPeakrate: 16_000, ingressMinburst: 100 };
    expect(limitsOf(qos, 1500).toWorkload?.peak).to.deep.equal({ rate: 2000, minBurst: 1514 });
    expect(limitsOf({ ...qos, ingressPeakrate: 8000 }, 1500).toWorkload).not.to.have.property('peak');
  });

  it("wait for the bandwidth plugin where it may have heard of Kubernetes' annotations", () => {
    const kubernetes = { 'kubernetes.io/egress-bandwidth': '1M' };
    const calico = { 'qos.projectcalico.org/egressBandwidth': '1M' };
    expect(mayShapeAtOnce(calico, { shapes: false })).to.equal(true);
    expect(mayShapeAtOnce({ ...calico, ...kubernetes }, { shapes: false })).to.equal(false);
    expect(mayShapeAtOnce(kubernetes, { shapes: true })).to.equal(true);
  });
});
