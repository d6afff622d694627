/**
 * The npm package as its users meet it: built, packed, installed without a network into an empty folder, and every example
 * of docs/library.md compiled against its types and run, with the output that the document promises.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { run } from '../../net/kernel/process.ts';
import { createNamespace, deleteNamespace, namespacePath } from '../../net/kernel/netns.ts';
import { ROOT } from '../house/sources.ts';
import { buildPackage } from './build.ts';

/** A code block that names its file, and the output after it. */
const EXAMPLE = /```ts\n\/\/ (\S+)\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```/g;

const EXAMPLES = [...readFileSync(join(ROOT, 'docs/library.md'), 'utf8').matchAll(EXAMPLE)].map(
  ([, file = '', code = '', output = '']) => ({ file, code, output }),
);

/** They write with iptables, in a network namespace of their own. */
const NEEDS_ROOT: ReadonlySet<string> = new Set(['keep.ts', 'failure.ts']);

const STRICT = {
  compilerOptions: {
    target: 'es2024',
    lib: ['es2024', 'esnext.disposable'],
    module: 'nodenext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    // The declarations of the package are looked at, too.
    skipLibCheck: false,
  },
  files: EXAMPLES.map(({ file }) => file),
};

describe('the npm package', function () {
  this.timeout(120_000);

  let folder: string;
  let consumer: string;
  let packed: readonly { readonly filename: string; readonly files: readonly { readonly path: string }[] }[];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poplin-package-'));
    const dist = buildPackage(join(folder, 'dist'));
    packed = JSON.parse(
      await npm(['pack', dist, '--json', '--pack-destination', folder], folder),
    ) as typeof packed;

    consumer = await mkdtemp(join(folder, 'consumer-'));
    writeFileSync(
      join(consumer, 'package.json'),
      JSON.stringify({
        name: 'consumer',
        private: true,
        type: 'module',
        dependencies: { poplin: `file:${join(folder, packed[0]?.filename ?? '')}`, ...here(dist) },
      }),
    );
    await npm(['install', '--offline', '--ignore-scripts', '--no-package-lock'], consumer);
    for (const { file, code } of EXAMPLES) writeFileSync(join(consumer, file), code);
    writeFileSync(join(consumer, 'tsconfig.json'), JSON.stringify(STRICT));
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it('holds code, types and documents, and no sources and tests', () => {
    const paths = packed.flatMap(({ files }) => files.map(({ path }) => path));
    expect(paths).to.include.members([
      'package.json',
      'README.md',
      'bgpd/index.js',
      'bgpd/index.d.ts',
      'net/kernel/iptables.js',
      'net/kernel/iptables.d.ts',
    ]);
    expect(paths.filter((path) => /(?<!\.d)\.ts$|test|(?:^|\/)testing\//.test(path))).to.deep.equal([]);
    expect(paths.filter((path) => !/\.(?:js|d\.ts|md)$|^package\.json$/.test(path))).to.deep.equal([]);
  });

  it('has types that a strict compiler takes, its own declarations included', async () => {
    await run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', consumer], {});
  });

  it('has examples for both entry points', () => {
    expect(EXAMPLES.map(({ file }) => file)).to.deep.equal([
      'decode.ts',
      'two-speakers.ts',
      'keep.ts',
      'failure.ts',
    ]);
  });

  for (const { file, output } of EXAMPLES)
    it(`runs the example ${file} to the output that is promised`, async function () {
      if (!NEEDS_ROOT.has(file))
        return expect((await run(process.execPath, [join(consumer, file)], {})).stdout).to.equal(output);
      if (process.getuid?.() !== 0) {
        console.log('      SKIPPED: needs root to make a network namespace');
        this.skip();
      }
      const name = `poplin-package-${process.pid}-${file}`;
      createNamespace(name);
      try {
        const ran = await run(process.execPath, [join(consumer, file)], { netns: namespacePath(name) });
        expect(ran.stdout).to.equal(output);
      } finally {
        deleteNamespace(name);
      }
    });

  it('lets nobody import what is no entry point', async () => {
    const code =
      "import('poplin/bgpd/index.js').then(() => console.log('in'), ({ code }) => console.log(code))";
    writeFileSync(join(consumer, 'inside.js'), code);
    const ran = await run(process.execPath, [join(consumer, 'inside.js')], {});
    expect(ran.stdout.trim()).to.equal('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });
});

async function npm(args: readonly string[], cwd: string): Promise<string> {
  return (await run('npm', ['--no-audit', '--no-fund', '--no-update-notifier', ...args], { cwd })).stdout;
}

/** The package's dependencies, and what the examples' types need, out of this checkout: no registry is asked. */
function here(dist: string): Record<string, string> {
  const found: Record<string, string> = {};
  const take = (name: string): void => {
    if (name in found) return;
    const path = join(ROOT, 'node_modules', name);
    found[name] = `file:${path}`;
    for (const each of dependenciesOf(path)) take(each);
  };
  for (const name of [...dependenciesOf(dist), '@types/node']) take(name);
  return found;
}

function dependenciesOf(path: string): readonly string[] {
  const { dependencies = {} } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as {
    dependencies?: Readonly<Record<string, string>>;
  };
  return Object.keys(dependencies);
}
