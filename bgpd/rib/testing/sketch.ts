/** Paths in a few words, for tests: what is not said is the same for every path, so that only what is said decides. */
import { Address } from '../../../net/addr/index.ts';
import type { Origin, PathAttributes } from '../../wire/types.ts';
import type { AttributePool } from '../attributes.ts';
import { PathTable } from '../path-table.ts';
import type { Path, PathIdentity, Source } from '../path.ts';

export interface PathSketch {
  readonly id?: number;
  readonly kind?: Source['kind'];
  readonly routerId?: number;
  readonly address?: string;
  readonly pathId?: number;
  readonly nextHop?: string;
  readonly asPath?: readonly number[];
  readonly origin?: Origin;
  readonly med?: number | undefined;
  readonly localPref?: number;
  readonly aigp?: number | bigint | undefined;
  readonly originatorId?: number;
  readonly clusterList?: readonly number[] | undefined;
  readonly reachable?: boolean;
  readonly interiorCost?: number;
}

export function attributesOf(sketch: PathSketch): PathAttributes {
  return {
    origin: sketch.origin ?? 'IGP',
    asPath: [{ type: 'sequence', asns: sketch.asPath ?? [7] }],
    ...(sketch.med === undefined ? {} : { med: sketch.med }),
    ...(sketch.localPref === undefined ? {} : { localPref: sketch.localPref }),
    ...(sketch.aigp === undefined ? {} : { aigp: { metric: BigInt(sketch.aigp) } }),
    ...(sketch.originatorId === undefined ? {} : { originatorId: sketch.originatorId }),
    ...(sketch.clusterList === undefined ? {} : { clusterList: sketch.clusterList }),
  };
}

export function sourceOf(sketch: PathSketch): Source {
  const kind = sketch.kind ?? 'external';
  return {
    id: sketch.id ?? 1,
    name: `peer-${sketch.id ?? 1}`,
    kind,
    reflectorClient: false,
    asn: 7,
    routerId: sketch.routerId ?? 1,
    address: kind === 'local' ? undefined : addressOf(sketch.address ?? '192.0.2.1'),
  };
}

export function pathOf(pool: AttributePool, sketch: PathSketch): Path {
  const received = pool.intern(attributesOf(sketch));
  const source = sourceOf(sketch);
  const identity: PathIdentity = {
    source,
    pathId: sketch.pathId ?? 0,
    nextHop:
      source.kind === 'local'
        ? undefined
        : { address: addressOf(sketch.nextHop ?? sketch.address ?? '192.0.2.1') },
    received,
    attributes: received,
    rejected: undefined,
  };
  const { number } = new PathTable(pool).intern(identity);
  return { ...identity, number, reachable: sketch.reachable ?? true, interiorCost: sketch.interiorCost ?? 0 };
}

function addressOf(text: string): Address {
  const address = Address.parse(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}
