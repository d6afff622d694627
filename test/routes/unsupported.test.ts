/** A kernel that has no IPIP: one clear message, and the rest of the node works. */
import { expect } from 'chai';
import { Netlink } from '../../net/kernel/index.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';
import { Fabric, NODES, pools } from './fabric.ts';

interface Status {
  readonly routing: {
    readonly problems: readonly { readonly code: string; readonly value?: string; readonly what: string }[];
  };
}

describeOnKernel('a kernel without a kind of tunnel', function () {
  this.timeout(300_000);
  const scratch = freshNamespace();
  const fabric = new Fabric();
  after(() => fabric.close());

  it('is told once, with what to do, and everything else works', async function () {
    using kernel = Netlink.open({ netns: scratch.path() });
    const has = await kernel.createTunnel({ kind: 'ipip', name: 'probe' }).catch(() => false);
    if (has) {
      process.stderr.write('SKIPPED: a kernel without IPIP: this one has it\n');
      this.skip();
    }
    await fabric.build(1430, ...pools({ v4: { ipipMode: 'Always' }, v6: { vxlanMode: 'Always' } }));
    for (const node of NODES) fabric.start(node, 'felix');
    await fabric.routed(() => /dev vxlan-v6.calico proto 81/, 6);
    await fabric.transfer('a1', 'b1', 6, 100_000);
    const { routing } = (await fabric.status('a1', 'felix')) as Status;
    expect(routing.problems.map(({ code, value }) => `${code} ${value ?? ''}`)).to.deep.equal([
      'TUNNEL_UNSUPPORTED tunl0',
    ]);
    expect(routing.problems[0]?.what).to.contain('this kernel has no ipip tunnels');
  });
});
