import { expect } from 'chai';
import fc from 'fast-check';
import { KINDS, type KindInfo } from '../kinds/index.ts';
import { fieldsOf } from '../schema/shape.ts';
import { asWritten, validate } from '../validate.ts';
import { arbitraryResource } from './arbitraries.ts';

const DRAWN = { numRuns: 25 };

describe('api: resources of every kind', () => {
  for (const info of KINDS) {
    it(`${info.kind} is read as it was written`, () => {
      fc.assert(
        fc.property(arbitraryResource(info), (resource) => {
          expect(validate(resource)).to.deep.equal({ ok: true, value: resource });
          expect(validate(JSON.parse(JSON.stringify(asWritten(resource))))).to.deep.equal({
            ok: true,
            value: resource,
          });
        }),
        DRAWN,
      );
    });
  }

  it('are drawn with every field of their spec', function () {
    this.timeout(120_000);
    const missing = KINDS.flatMap((info) => {
      const seen = new Set<string>();
      for (const resource of fc.sample(arbitraryResource(info), { seed: 1, numRuns: 100 })) {
        const { spec = {} } = resource as { readonly spec?: object };
        for (const field of Object.keys(spec)) seen.add(field);
      }
      return specFields(info)
        .filter((field) => !seen.has(field))
        .map((field) => `${info.kind} ${field}`);
    });
    expect(missing).to.deep.equal([]);
  });
});

function specFields({ schema }: KindInfo): string[] {
  const spec = fieldsOf(schema)?.['spec'];
  return Object.keys((spec === undefined ? undefined : fieldsOf(spec)) ?? {});
}
