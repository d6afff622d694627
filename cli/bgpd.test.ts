import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { type CommandLine, commandLine, type Ran } from './testing.ts';

describe('poplin bgpd', () => {
  let poplin: CommandLine;
  let file: string;
  beforeEach(() => {
    poplin = commandLine();
    file = join(poplin.folder, 'router.yaml');
  });
  const check = (text: string): Promise<Ran> => {
    writeFileSync(file, text);
    return poplin(`bgpd --config ${file} --check`);
  };

  it('--check says that a file is good, and what is odd in it', async () => {
    const { code, out, err } = await check(
      'asNumber: 65001\nrouterId: 192.0.2.1\npeers: [{address: 192.0.2.2, asNumber: 65002}]\n',
    );
    expect(code).to.equal(0);
    expect(out).to.equal(`${file} is good: 1 peers, 0 prefixes of our own\n`);
    expect(err).to.match(/^warning: .*router\.yaml:3:9, peers\[0\]\.import: external peer 192\.0\.2\.2/);
  });

  it('--check tells every mistake with its place, and fails', async () => {
    const { code, out, err } = await check('asNumber: 0\nrouterId: 192.0.2.256\n');
    expect(code).to.equal(1);
    expect(out).to.equal('');
    expect(err.match(/router\.yaml:1:1, asNumber/g)?.length).to.equal(1);
    expect(err.match(/router\.yaml:2:1, routerId/g)?.length).to.equal(1);
  });

  it('says what it lacks', async () => {
    expect(await poplin('bgpd')).to.deep.include({ code: 2 });
    const missing = await poplin(`bgpd --config ${poplin.folder}/none.yaml --check`);
    expect(missing.code).to.equal(1);
    expect(missing.err).to.match(/none\.yaml: the file cannot be read/);
  });

  it('--print-schema prints JSON Schema', async () => {
    const { code, out } = await poplin('bgpd --print-schema');
    expect(code).to.equal(0);
    expect(JSON.parse(out)).to.have.nested.property('properties.peers.items.properties.address.description');
  });

  it('reload says so where no daemon is', async () => {
    const { code, err } = await poplin(`bgp reload --socket ${poplin.folder}/none.sock`);
    expect(code).to.equal(1);
    expect(err).to.match(/nothing answers/);
  });
});
