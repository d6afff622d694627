/**
 * Every kind as it lies in Calico's etcd, octet for octet: `golden.txt` has a line with the key and a line with the value,
 * in the order of Go's structs and with Go's escapes.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import type { z } from 'zod';
import { API_VERSION, KINDS } from '../../api/index.ts';
import { elementOf, fieldsOf, valueOf } from '../../api/schema/shape.ts';
import { parseJson, stringifyJson } from '../json.ts';
import { goJson, sameForCalico } from './go-json.ts';
import { type Order, resourceOrder } from './go-order.ts';
import { keyAt, pathOf } from './keys.ts';
import { decodeValue, encodeValue } from './values.ts';

const lines = readFileSync(join(import.meta.dirname, 'golden.txt'), 'utf8')
  .split('\n')
  .slice(0, -1);
const GOLDEN = lines.flatMap((path, i) => (i % 2 === 0 ? [{ path, text: lines[i + 1] ?? '' }] : []));

describe("values in Calico's etcd", () => {
  for (const { path, text } of GOLDEN) {
    it(`${path} is written as Calico does`, () => {
      const key = keyAt('/calico', path);
      if (key === undefined) throw new Error('no key of the store');
      const decoded = decodeValue(key, text);
      expect(decoded.key).to.deep.equal(key);
      expect(pathOf('/calico', key)).to.equal(path);
      expect(encodeValue(key, decoded.value)).to.equal(text);
      expect(encodeValue(key, backwards(decoded.value)), 'whatever order it came in').to.equal(text);
      expect(stringifyJson(decoded.value)).to.not.contain('projectcalico.org/metadata');
    });
  }

  it('are there of each kind that has an example', () => {
    const found = new Set(GOLDEN.map(({ path }) => keyAt('/calico', path)?.kind));
    const known = [
      ...KINDS.map(({ kind }) => kind),
      'IPAMBlock',
      'BlockAffinity',
      'IPAMHandle',
      'IPAMConfig',
    ];
    expect([...found].filter((kind) => !known.includes(kind ?? ''))).to.deep.equal([]);
    expect(found.size).to.be.greaterThan(18);
  });

  it('have every field of every kind of Calico in an order', () => {
    const unordered = KINDS.filter(({ written }) => written.apiVersion === API_VERSION).flatMap(
      ({ kind, schema }) => withoutOrder(schema, resourceOrder(kind), kind),
    );
    expect(unordered).to.deep.equal([]);
  });

  it('any JSON comes back as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        expect(parseJson(goJson(value))).to.deep.equal(parseJson(stringifyJson(value)));
      }),
    );
    expect(() => goJson(undefined)).to.throw(TypeError);
    expect(goJson({ a: undefined, b: [undefined, 1n], c: '<&>\u2028"\\' })).to.equal(
      '{"b":[null,1],"c":"\\u003c\\u0026\\u003e\\u2028\\"\\\\"}',
    );
  });
});

/** Fields and mappings that a schema knows and an order does not. */
function withoutOrder(schema: z.core.$ZodType, order: Order | undefined, path: string): string[] {
  const element = elementOf(schema);
  if (element !== undefined) return withoutOrder(element, order, path);
  const fields = fieldsOf(schema);
  if (fields === undefined) return valueOf(schema) !== undefined && order === undefined ? [path] : [];
  const known = order === 'map' ? undefined : order;
  return Object.entries(fields).flatMap(([name, field]) =>
    known?.names.includes(name) === true
      ? withoutOrder(field, known.inner[name], `${path}.${name}`)
      : [`${path}.${name}`],
  );
}

/** Members the other way round, all through. */
function backwards(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(backwards);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => [name, backwards(member)] as const);
  return Object.fromEntries(members.reverse());
}

function resource(kind: string, spec: object, more: object = {}): object {
  return {
    kind,
    apiVersion: 'projectcalico.org/v3',
    metadata: { name: 'x', labels: {}, annotations: {} },
    spec,
    ...more,
  };
}

function written(kind: string, spec: string, more = ''): string {
  return `{"kind":"${kind}","apiVersion":"projectcalico.org/v3","metadata":{"name":"x"},"spec":${spec}${more}}`;
}

describe("what says nothing in Calico's etcd", () => {
  const cases: readonly { it: string; value: unknown; text: string }[] = [
    {
      it: 'false, 0, empty text and empty lists of a pool are left out',
      value: resource('IPPool', {
        allowedUses: [],
        nodeSelector: '',
        blockSize: 0,
        disableBGPExport: false,
        disabled: false,
        natOutgoing: true,
        cidr: '10.0.0.0/8',
      }),
      text: written('IPPool', '{"cidr":"10.0.0.0/8","natOutgoing":true}'),
    },
    {
      it: 'false behind a pointer is said',
      value: resource('BGPConfiguration', {
        nodeToNodeMeshEnabled: false,
        communities: [],
        listenPort: 0,
      }),
      text: written('BGPConfiguration', '{"nodeToNodeMeshEnabled":false}'),
    },
    {
      it: 'an empty list of failsafe ports means none, and is said; an empty prefix of the log is not',
      value: resource('FelixConfiguration', { failsafeInboundHostPorts: [], logPrefix: '', ipipMTU: 0 }),
      text: written('FelixConfiguration', '{"ipipMTU":0,"failsafeInboundHostPorts":[]}'),
    },
    {
      it: 'a rule always has both its sides, and what is in them is left out when it is empty',
      value: resource('GlobalNetworkPolicy', {
        order: 0,
        preDNAT: false,
        egress: [],
        ingress: [{ action: 'Allow', source: { nets: [], selector: '' } }],
        types: ['Ingress'],
      }),
      text: written(
        'GlobalNetworkPolicy',
        '{"order":0,"ingress":[{"action":"Allow","source":{},"destination":{}}],"types":["Ingress"]}',
      ),
    },
    {
      it: 'a peer without an AS number of its own has none',
      value: resource('BGPPeer', { asNumber: 0, keepOriginalNextHop: false, ttlSecurity: 0, node: '' }),
      text: written('BGPPeer', '{"ttlSecurity":0}'),
    },
    {
      it: 'structs stand there even when nobody filled them',
      value: resource('Node', { bgp: {}, orchRefs: [] }),
      text: written('Node', '{"bgp":{}}', ',"status":{}'),
    },
    {
      it: 'in a status too',
      value: resource('CalicoNodeStatus', { node: 'a', classes: ['BGP'] }, { status: { bgp: {} } }),
      text: written(
        'CalicoNodeStatus',
        '{"node":"a","classes":["BGP"]}',
        ',"status":{"lastUpdated":null,"agent":{"birdV4":{},"birdV6":{}},"bgp":{"numberEstablishedV4":0,' +
          '"numberNotEstablishedV4":0,"numberEstablishedV6":0,"numberNotEstablishedV6":0},"routes":{}}',
      ),
    },
    {
      it: 'ports of an endpoint are whole',
      value: resource('WorkloadEndpoint', {
        node: 'a',
        profiles: [],
        ports: [{ protocol: 'TCP', port: 80 }],
      }),
      text: written(
        'WorkloadEndpoint',
        '{"node":"a","ports":[{"name":"","protocol":"TCP","port":80,"hostPort":0,"hostIP":""}]}',
      ),
    },
    {
      it: 'settings of IPAM say both booleans in the resource, and none in the old object',
      value: resource('IPAMConfiguration', { maxBlocksPerHost: 0, ipCooldownSeconds: 0 }),
      text: written('IPAMConfiguration', '{"strictAffinity":false,"autoAllocateBlocks":false}'),
    },
    {
      it: 'the old object of IPAM',
      value: {
        ipCooldownSeconds: 0,
        strict_affinity: false,
        auto_allocate_blocks: true,
        maxBlocksPerHost: 0,
      },
      text: '{"auto_allocate_blocks":true}',
    },
    {
      it: "a block says that it is nobody's, and an owner without attributes says none",
      value: {
        cidr: '10.0.0.0/32',
        affinity: null,
        affinity_claim_time: null,
        hostAffinity: null,
        allocations: [0],
        unallocated: [],
        attributes: [{ handle_id: 'h', secondary: {} }],
        deleted: false,
      },
      text: '{"cidr":"10.0.0.0/32","affinity":null,"allocations":[0],"unallocated":[],"attributes":[{"handle_id":"h"}],"deleted":false}',
    },
    {
      it: 'what no release knows yet stays as it is',
      value: resource('IPPool', { tomorrow: { a: false, b: 0, c: [] }, cidr: '10.0.0.0/8', later: '' }),
      text: written('IPPool', '{"cidr":"10.0.0.0/8","tomorrow":{"a":false,"b":0,"c":[]},"later":""}'),
    },
  ];
  for (const { it: what, value, text } of cases) {
    it(what, () => {
      expect(goJson(value)).to.equal(text);
      expect(goJson(parseJson(text)), 'what has been written is written alike').to.equal(text);
      expect(sameForCalico(value, parseJson(text))).to.equal(true);
    });
  }

  it('is no difference, and all else is one', () => {
    const pool = resource('IPPool', { cidr: '10.0.0.0/8', disabled: false });
    expect(sameForCalico(pool, resource('IPPool', { cidr: '10.0.0.0/8' }))).to.equal(true);
    expect(sameForCalico(pool, resource('IPPool', { cidr: '10.0.0.0/8', disabled: true }))).to.equal(false);
    const mesh = (on: object): object => resource('BGPConfiguration', on);
    expect(sameForCalico(mesh({}), mesh({ nodeToNodeMeshEnabled: false }))).to.equal(false);
  });
});
