/** What etcd and TLS say, as they say it, and what people are told. What a real etcd says is in `test/etcd/secure.test.ts`. */
import { expect } from 'chai';
import { isRefusal, problemOf, unavailable } from './problems.ts';

const OPTIONS = {
  endpoints: ['https://etcd.example:2379'],
  prefix: '/calico',
  auth: { username: 'poplin', password: 'secret' },
  tls: {},
};

const CASES = [
  ['7 PERMISSION_DENIED: etcdserver: permission denied', 'STORE_DENIED', true],
  ['3 INVALID_ARGUMENT: etcdserver: user name is empty', 'STORE_LOGIN', true],
  ['3 INVALID_ARGUMENT: etcdserver: authentication failed, invalid user ID or password', 'STORE_LOGIN', true],
  ['9 FAILED_PRECONDITION: etcdserver: authentication is not enabled', 'STORE_LOGIN', true],
  ['8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded', 'STORE_FULL', true],
  ['3 INVALID_ARGUMENT: etcdserver: request is too large', 'STORE_TOO_LARGE', true],
  ['3 INVALID_ARGUMENT: etcdserver: too many operations in txn request', 'STORE_TOO_LARGE', true],
  [
    '14 UNAVAILABLE: No connection established. Last error: Error: certificate has expired. Resolution note: ',
    'STORE_TLS',
    false,
  ],
  [
    "14 UNAVAILABLE: No connection established. Last error: Error: Hostname/IP does not match certificate's altnames: Host: localhost. is not in the cert's altnames: DNS:a. Resolution note: ",
    'STORE_TLS',
    false,
  ],
  ['14 UNAVAILABLE: Last error: Error: unable to verify the first certificate', 'STORE_TLS', false],
  ['14 UNAVAILABLE: Last error: Error: self-signed certificate in certificate chain', 'STORE_TLS', false],
] as const;

describe('problems of etcd', () => {
  for (const [text, code, refusal] of CASES) {
    it(`${text} is ${code}`, () => {
      const problem = problemOf(OPTIONS, new Error(text), '/calico/ipam/');
      expect(problem?.code).to.equal(code);
      expect(isRefusal(new Error(text))).to.equal(refusal);
      expect(`${problem?.what}${problem?.remedy}`).to.not.match(/secret|undefined|RESOURCE_|INVALID_|\.$/);
    });
  }

  it('what passes is none of them', () => {
    for (const text of [
      '14 UNAVAILABLE: connect ECONNREFUSED',
      '4 DEADLINE_EXCEEDED',
      'etcdserver: leader changed',
    ])
      expect(problemOf(OPTIONS, new Error(text), '/calico/')).to.equal(undefined);
  });

  it('of a server that is not there, the reason is left, without gRPC around it', () => {
    const error = new Error(
      '14 UNAVAILABLE: No connection established. Last error: Error: connect ECONNREFUSED 10.0.0.9:2379. Resolution note: ',
    );
    expect(unavailable(OPTIONS, error).problems[0]?.what).to.equal(
      'etcd at https://etcd.example:2379 does not answer (connect ECONNREFUSED 10.0.0.9:2379)',
    );
  });
});
