import { expect } from 'chai';
import { rehearse } from './rehearsal.ts';

describe('rehearsal', () => {
  it('comes to its end and leaves no socket and no timer', async () => {
    const before = process.getActiveResourcesInfo().filter(isOurs).length;
    expect(await rehearse({ updates: 20, flaps: 6, limitMs: 5000 })).to.equal(true);
    // The speaker's ends close once they have read that the guests are gone.
    while (process.getActiveResourcesInfo().filter(isOurs).length > before)
      await new Promise((resolve) => setTimeout(resolve, 1));
  });

  it('keeps nobody from starting: what takes too long is given up', async () => {
    expect(await rehearse({ updates: 20, flaps: 1_000_000, limitMs: 60 })).to.equal(false);
  });
});

function isOurs(resource: string): boolean {
  return resource.startsWith('TCP');
}
