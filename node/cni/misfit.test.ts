/** Configurations that were made for somebody else. */
import { expect } from 'chai';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readNetConf } from '../../cni-plugin/netconf.ts';
import { misfitOf } from './misfit.ts';

const codeOf = (conf: object, node = 'n1'): number | undefined => {
  const read = readNetConf({ cniVersion: '1.0.0', name: 'net', ...conf }, {});
  if (!read.ok) throw new Error(read.error.msg);
  return misfitOf(read.value, node)?.code;
};

describe('cni: a configuration of somebody else', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-misfit-'));
    writeFileSync(join(folder, 'nodename'), 'n1\n');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const cases: readonly (readonly [string, () => object, number | undefined])[] = [
    ['nothing said', () => ({}), undefined],
    ['our node', () => ({ nodename: 'n1' }), undefined],
    ['another node', () => ({ nodename: 'n2' }), 7],
    ['another node, by the old key', () => ({ hostname: 'n2' }), 7],
    ['the name before the old key', () => ({ nodename: 'n1', hostname: 'n2' }), undefined],
    ['our node, in a file', () => ({ nodename_file: join(folder, 'nodename') }), undefined],
    ['a file that is not there', () => ({ nodename_file: join(folder, 'none') }), undefined],
    ['the name before the file', () => ({ nodename: 'n2', nodename_file: join(folder, 'nodename') }), 7],
    ['the dataplane of Linux', () => ({ dataplane_options: { type: 'linux' } }), undefined],
    ['a dataplane behind a socket', () => ({ dataplane_options: { type: 'grpc', socket: 'unix:///s' } }), 2],
    ['gates', () => ({ readiness_gates: ['http://127.0.0.1:9099/readiness'] }), undefined],
    ['a gate that is none', () => ({ readiness_gates: ['localhost:9099'] }), 7],
  ];
  for (const [what, conf, code] of cases)
    it(`is ${code === undefined ? 'fit' : `refused with code ${code}`}: ${what}`, () =>
      expect(codeOf(conf())).to.equal(code));

  it('is another node, in a file', () => {
    expect(codeOf({ nodename_file: join(folder, 'nodename') }, 'n2')).to.equal(7);
  });
});
