/** Reflection with more than one cluster id (RFC 4456 §7 and §8): each client may be in a cluster of its own. */
import { expect } from 'chai';
import { Address, Prefix } from '../../net/addr/index.ts';
import { AttributePool } from '../rib/attributes.ts';
import { PathTable } from '../rib/path-table.ts';
import { sourceOf } from '../rib/testing/sketch.ts';
import { exportPath } from './export.ts';
import { importPath } from './import.ts';
import { ACCEPT_ALL } from './policy.ts';

const PREFIX = Prefix.parse('10.0.0.0/8') ?? expect.fail();
const NEXT_HOP = { address: Address.parse('192.0.2.9') ?? expect.fail() };
const ROUTER = 100;

/** What a peer whose cluster is `to` is told of a path from a client whose cluster is `from`. */
function told(from: number | undefined, to: number): readonly number[] | undefined {
  const pool = new AttributePool();
  const set = pool.intern({ origin: 'IGP', asPath: [], localPref: 100, clusterList: [7] });
  const path = new PathTable(pool).intern({
    source: {
      ...sourceOf({ kind: 'internal' }),
      reflectorClient: true,
      ...(from === undefined ? {} : { clusterId: from }),
    },
    pathId: 0,
    nextHop: NEXT_HOP,
    received: set,
    attributes: set,
    rejected: undefined,
  });
  const exported = exportPath(PREFIX, path, {
    peerKind: 'internal',
    reflectorClient: true,
    localAsn: 65001,
    clusterId: to,
    nextHop: 'auto',
    self: {},
    policy: ACCEPT_ALL,
  });
  return exported.send ? exported.attributes.clusterList : undefined;
}

describe('several clusters of one reflector', () => {
  it('mark a path with the cluster it leaves for, and the one it came from where that is another', () => {
    expect(told(undefined, ROUTER)).to.deep.equal([ROUTER, 7]);
    expect(told(1, 1)).to.deep.equal([1, 7]);
    expect(told(1, 2)).to.deep.equal([2, 1, 7]);
    expect(told(1, ROUTER)).to.deep.equal([ROUTER, 1, 7]);
    expect(told(undefined, 2)).to.deep.equal([2, 7]);
  });

  it('refuse a path that has passed any of them', () => {
    for (const id of [ROUTER, 1, 2]) {
      const imported = importPath(
        {
          prefix: PREFIX,
          nextHop: NEXT_HOP,
          source: sourceOf({ kind: 'internal' }),
          attributes: { origin: 'IGP', asPath: [], clusterList: [9, id] },
        },
        {
          peerKind: 'internal',
          peerAsn: 65001,
          localAsn: 65001,
          routerId: 5,
          clusterIds: [ROUTER, 1, 2],
          allowedLocalAs: 0,
          enforceFirstAs: true,
          isOwnAddress: () => false,
          policy: ACCEPT_ALL,
        },
      );
      expect(imported).to.deep.include({ accepted: false });
    }
  });
});
