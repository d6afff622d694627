/**
 * Every kind as it lies in Calico's etcd, octet for octet: `golden.txt` has a line with the key and a line with the value,
 * in the order of Go's structs and with Go's escapes.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { KINDS } from '../../api/index.ts';
import { parseJson, stringifyJson } from '../json.ts';
import { goJson } from './go-json.ts';
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

/** Members of what has a known order, or is a map, the other way round. */
function backwards(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const isResource = depth === 0 && 'kind' in value;
  const members = Object.entries(value).map(([name, member]) => {
    const isOrdered = name === 'metadata' || name === 'labels' || name === 'annotations' || !isResource;
    return [name, isOrdered && depth < 2 ? backwards(member, depth + 1) : member] as const;
  });
  return Object.fromEntries(members.reverse());
}
