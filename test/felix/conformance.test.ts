/** The table of `conformance.ts` names cases that there are. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { CASES } from './cases.ts';
import { CLUSTER_POLICY, NETWORK_POLICY } from './conformance.ts';

describe('the table of conformance', () => {
  const names = new Set(CASES.map(({ it: name }) => name));

  it('names cases of NetworkPolicy that there are', () => {
    for (const [asked, ours] of Object.entries(NETWORK_POLICY)) {
      expect(ours, asked).to.not.deep.equal([]);
      for (const each of ours) {
        const [, file, elsewhere] = /^([a-z-]+\.ts): (.*)$/.exec(each) ?? [];
        if (file === undefined) expect(names, asked).to.include(`Kubernetes: ${each}`);
        else expect(readFileSync(new URL(file, import.meta.url), 'utf8')).to.include(`'${elsewhere}'`);
      }
    }
  });

  it('names cases of policies of the cluster that there are', () => {
    for (const [asked, ours] of Object.entries(CLUSTER_POLICY))
      for (const each of ours) expect(names, asked).to.include(each);
  });

  it('has each case once', () => {
    expect(names.size).to.equal(CASES.length);
  });
});
