/**
 * What every store owes to resources: one of any kind, with any fields that its schema has, comes back as it was applied,
 * and is not written again when it is applied again. An explicit `false` may be missing
 * afterwards where Calico's form has no place for it.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { type KindInfo, KINDS, parseManifests, type Resource, unwrap } from '../api/index.ts';
import { arbitraryResource } from '../api/testing/arbitraries.ts';
import { SimulatedClock } from '../clock/simulated.ts';
import { inFull } from './etcd/go-json.ts';
import { ResourceClient } from './resources.ts';
import type { Store } from './store.ts';

export interface ResourceTraits {
  /** Kinds that the engine keeps and lets be written freely; others belong to somebody else. */
  readonly keeps: (info: KindInfo) => boolean;
  /** Kinds of which the store itself drops fields that it does not know. */
  readonly prunes?: (info: KindInfo) => boolean;
  /** Resources drawn of each kind; fewer where each takes long. */
  readonly draws: number;
}

export const ALL_KINDS: ResourceTraits = { keeps: () => true, draws: 8 };

/** Objects that are Kubernetes' own, whose every field passes. */
const LOOSE: ReadonlySet<string> = new Set(['Pod', 'Service']);

/** The tier that drawn policies name when they name one. */
const TIER = `{"apiVersion":"projectcalico.org/v3","kind":"Tier","metadata":{"name":"prod-1"},"spec":{"order":7}}`;

/** @param open  gives a store that is empty, and closed by the caller */
export function resourceContract(
  open: () => Promise<Store>,
  { keeps, prunes = () => false, draws }: ResourceTraits = ALL_KINDS,
): void {
  describe('resources of every kind', function () {
    this.timeout(60_000);
    let store: Store;
    let client: ResourceClient;

    before(async () => {
      store = await open();
      client = new ResourceClient(store, new SimulatedClock());
      unwrap(await client.apply(unwrap(parseManifests(TIER))[0]!.resource));
    });

    for (const info of KINDS) {
      it(`${info.kind} comes back as it was applied`, async function () {
        if (!keeps(info)) {
          this.test!.title += ' (SKIPPED: not this store’s to keep)';
          this.skip();
        }
        for (const drawn of fc.sample(arbitraryResource(info), draws)) await goesRound(drawn, !prunes(info));
      });
    }

    async function goesRound(drawn: Resource, keepsUnknown: boolean): Promise<void> {
      const { kind, metadata } = drawn;
      const { name, namespace } = metadata;
      const [applied] = unwrap(await client.change([{ type: 'apply', resource: drawn }]));
      expect(applied?.outcome).to.equal('created');
      expect(inFull(withoutServers(applied!.resource))).to.deep.equal(inFull(drawn));
      const read = unwrap(await client.get(kind, name, namespace));
      expect(inFull(withoutServers(read))).to.deep.equal(inFull(drawn));
      expect(
        unwrap(await client.list(kind, namespace)).find((one) => one.metadata.name === name),
      ).to.deep.equal(read);
      const [again] = unwrap(await client.change([{ type: 'apply', resource: drawn }]));
      expect(again?.outcome).to.equal('unchanged');
      if (keepsUnknown) await keepsTomorrow(drawn);
      unwrap(await client.delete(kind, name, namespace));
    }

    /** What a newer tool added stays through a change by one that knows nothing of it. */
    async function keepsTomorrow(drawn: Resource): Promise<void> {
      const { kind, metadata } = drawn;
      // Where every field is known, one that the new text lacks was taken away.
      if (!('spec' in drawn) || LOOSE.has(kind)) return;
      const key = { kind, scope: metadata.namespace ?? '', name: metadata.name };
      const entry = await store.get(key);
      const stored = entry?.value as { readonly metadata: object; readonly spec: object };
      const newer = { ...stored, spec: { ...stored.spec, tomorrow: { deep: [1] } } };
      await store.commit([{ type: 'put', key, value: newer, expect: 'present' }]);
      const changed = {
        ...drawn,
        metadata: { ...metadata, annotations: { ...metadata.annotations, changed: 'yes' } },
      };
      unwrap(await client.apply(changed as Resource));
      const after = (await store.get(key))?.value as Resource & { readonly spec: object };
      expect(inFull(after)).to.have.deep.property('spec', (inFull(newer) as typeof newer).spec);
      expect(after.metadata.annotations).to.deep.equal(changed.metadata.annotations);
    }
  });
}

/** The resource without what the server filled in. */
function withoutServers(resource: Resource): unknown {
  const { uid: _, creationTimestamp: __, resourceVersion: ___, ...metadata } = resource.metadata;
  return { ...resource, metadata };
}
