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
import { goJson } from './go-json.ts';
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
