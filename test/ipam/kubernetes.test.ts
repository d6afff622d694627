/** The soak of IPAM on the Kubernetes API: one key a commit, so that every order of writes can be cut in two. */
import { expect } from 'chai';
import { withKubeServer } from '../kubernetes/suite.ts';
import { soakIpam } from './soak.ts';

describe('IPAM on the Kubernetes API with processes that are killed', function () {
  this.timeout(180_000);
  const server = withKubeServer();

  it('gives no address twice and loses none', async () => {
    const report = await soakIpam({
      location: server().location('poplin-node'),
      adminLocation: server().location(),
      processes: 4,
      nodes: {
        put: (name) =>
          server().ask('/api/v1/nodes', {
            method: 'POST',
            body: { apiVersion: 'v1', kind: 'Node', metadata: { name } },
          }),
        drop: (name) => server().ask(`/api/v1/nodes/${name}`, { method: 'DELETE' }),
      },
      ms: 8_000,
      killEveryMs: 600,
      atLeast: { attached: 20, kills: 4 },
    });
    expect(report.broken.join('\n')).to.equal('');
    expect(report.attached).to.be.at.least(20);
    expect(report.kills).to.be.at.least(4);
  });
});
