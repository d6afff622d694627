import { expect } from 'chai';
import { COMMANDS } from './commands.ts';
import { type Parsed, parse } from './parse.ts';

function line(text: string): Promise<Parsed> {
  return parse(text.split(' '), COMMANDS, { version: '1.2.3', width: undefined });
}

async function args(text: string): Promise<Readonly<Record<string, unknown>>> {
  const parsed = await line(text);
  if (parsed.type !== 'run') throw new Error(JSON.stringify(parsed));
  return { command: parsed.command.path.join(' '), ...parsed.args };
}

describe('command line', () => {
  const runs = [
    {
      line: 'get nodes -o wide',
      has: { command: 'get', kind: 'nodes', names: [], output: 'wide', namespace: undefined },
    },
    {
      line: 'get policy web-in -n prod',
      has: { kind: 'policy', names: ['web-in'], namespace: 'prod', output: 'ps' },
    },
    { line: 'get np -A', has: { kind: 'np', 'all-namespaces': true } },
    { line: 'get ippool,node -oyaml', has: { kind: 'ippool,node', output: 'yaml' } },
    { line: 'get ippool 0123 1e3', has: { names: ['0123', '1e3'] } },
    { line: 'get -f a.yaml -f b.yaml', has: { kind: undefined, filename: ['a.yaml', 'b.yaml'] } },
    { line: 'apply -f - --datastore=/x.db', has: { command: 'apply', filename: ['-'], datastore: '/x.db' } },
    { line: 'apply -f a.yaml -R', has: { filename: ['a.yaml'], recursive: true } },
    { line: 'delete policy a b -s', has: { command: 'delete', names: ['a', 'b'], 'skip-not-exists': true } },
    { line: 'node status', has: { command: 'node status', nodes: [], output: 'table' } },
    { line: 'ipam show --show-blocks', has: { command: 'ipam show', 'show-blocks': true, ip: undefined } },
    { line: 'ipam show --ip=fd00::1', has: { ip: 'fd00::1' } },
    { line: 'lab up a.clab.yml', has: { command: 'lab up', topology: 'a.clab.yml' } },
    {
      line: 'lab exec a1 -- ip -4 route --help',
      has: { command: 'lab exec', node: 'a1', command_: ['ip', '-4', 'route', '--help'] },
    },
    { line: 'lab quickstart', has: { command: 'lab quickstart', topology: undefined } },
  ];
  for (const { line: text, has } of runs) {
    it(text, async () => {
      // `lab exec` has a positional named `command`, which this test's own key hides.
      const parsed = await line(text);
      if (parsed.type !== 'run') throw new Error(JSON.stringify(parsed));
      const got = {
        ...parsed.args,
        command_: parsed.args['command'],
        command: parsed.command.path.join(' '),
      };
      for (const [key, value] of Object.entries(has))
        expect(got, key).to.have.property(key).that.deep.equals(value);
    });
  }

  const wrong = [
    { line: 'gett nodes', says: 'get' },
    { line: 'get nodes --colour red', says: 'colour' },
    { line: 'get nodes -o wide -o yaml', says: '--output is given 2 times' },
    { line: 'node', says: 'status' },
    { line: 'node restart', says: 'restart' },
    { line: 'lab up', says: 'Not enough non-option arguments' },
    { line: 'lab exec a1', says: 'command is missing' },
    { line: 'node status -o html', says: 'html' },
    { line: 'get nodes -- x', says: 'takes nothing behind --' },
    { line: 'apply a.yaml', says: 'a.yaml' },
    { line: 'apply -f', says: 'Not enough arguments' },
  ];
  for (const { line: text, says } of wrong) {
    it(`refuses: ${text}`, async () => {
      const parsed = await line(text);
      if (parsed.type !== 'usage') throw new Error(JSON.stringify(parsed));
      expect(parsed.message).to.contain(says);
    });
  }

  it("prints the list of commands for nothing and for --help, a command's page for its --help, and the version", async () => {
    for (const text of ['--help', 'node --help']) {
      const parsed = await line(text);
      if (parsed.type !== 'text') throw new Error(JSON.stringify(parsed));
      expect(parsed.text).to.contain('status');
    }
    const empty = await parse([], COMMANDS, { version: '1.2.3', width: undefined });
    expect(empty.type).to.equal('text');
    const page = await line('apply --help');
    if (page.type !== 'text') throw new Error(JSON.stringify(page));
    for (const word of ['poplin apply [options]', 'one transaction', '--filename', 'topologies/quickstart/'])
      expect(page.text).to.contain(word);
    expect(await line('--version')).to.deep.equal({ type: 'text', text: '1.2.3\n' });
  });

  it('gives every option of every command a description, and a letter one meaning everywhere', () => {
    const meanings = new Map<string, string>();
    for (const command of COMMANDS) {
      for (const [name, { alias }] of Object.entries(command.options)) {
        if (alias === undefined) continue;
        expect(meanings.get(alias) ?? name, `-${alias}`).to.equal(name);
        meanings.set(alias, name);
      }
      for (const [name, option] of Object.entries(command.options)) {
        expect(option.describe, `${command.path.join(' ')} --${name}`).to.match(/^[A-Za-z].*[^.]$/s);
      }
    }
  });

  it('takes the names of options only from the table', async () => {
    expect(Object.keys(await args('version'))).to.have.members(['command', 'client', 'datastore']);
  });
});
