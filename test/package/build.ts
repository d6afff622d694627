/**
 * Builds the npm package of the libraries: `npm run build [-- FOLDER]`, `dist/` where no folder is named. Plain JavaScript
 * with declarations, as Node strips no types inside node_modules, and a package.json of its own: only what the two entry
 * points import goes in. `npm pack ./dist` makes the tarball.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ROOT } from '../house/sources.ts';

/** What people import, and the source behind it. */
const ENTRIES = { './bgp': 'bgpd/index', './iptables': 'net/kernel/iptables' } as const;

interface RootPackage {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

const BARE = /\bfrom '([^.'][^']*)'/g;
const RELATIVE_TS = /((?:\bfrom |\bimport\()['"]\.{1,2}\/[^'"]+)\.ts(['"])/g;

/** @returns the folder, an npm package */
export function buildPackage(folder: string): string {
  rmSync(folder, { recursive: true, force: true });
  const config = join(ROOT, 'test/package/tsconfig.build.json');
  execFileSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', config, '--outDir', folder], { stdio: 'inherit' });
  for (const file of globSync('**/*.d.ts', { cwd: folder })) rewriteImports(join(folder, file));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest(folder), null, 2)}\n`);
  for (const [from, to] of [
    ['docs/library.md', 'README.md'],
    ['CHANGELOG.md', 'CHANGELOG.md'],
    ['LICENSE', 'LICENSE'],
  ] as const)
    if (existsSync(join(ROOT, from))) copyFileSync(join(ROOT, from), join(folder, to));
  return folder;
}

/** The compiler leaves `./x.ts` in declarations; there is none in the package, and older compilers refuse the name. */
function rewriteImports(file: string): void {
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(RELATIVE_TS, '$1.js$2'));
}

function manifest(folder: string): object {
  const { name, version, license, dependencies } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  ) as RootPackage;
  return {
    name,
    version,
    description: 'BGP speaker and codec, and the iptables tools as functions: the libraries of Poplin',
    keywords: ['bgp', 'bgp4', 'router', 'routing', 'rfc4271', 'iptables', 'ipset', 'firewall'],
    ...(license === undefined ? {} : { license }),
    type: 'module',
    // The examples of docs/library.md were run on 24.21; the tests run on the pinned 26.
    engines: { node: '>=24' },
    sideEffects: false,
    exports: {
      ...Object.fromEntries(
        Object.entries(ENTRIES).map(([entry, source]) => [
          entry,
          { types: `./${source}.d.ts`, default: `./${source}.js` },
        ]),
      ),
      './package.json': './package.json',
    },
    dependencies: Object.fromEntries(
      imported(folder).map((dependency) => [dependency, versionOf(dependency, dependencies)]),
    ),
  };
}

/** Packages that the built code imports, in order of name. */
function imported(folder: string): readonly string[] {
  const names = globSync('**/*.js', { cwd: folder }).flatMap((file) =>
    [...readFileSync(join(folder, file), 'utf8').matchAll(BARE)].map(([, name = '']) => packageOf(name)),
  );
  return [...new Set(names)].filter((name) => !name.startsWith('node:')).sort();
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** @throws where the code imports what package.json does not name */
function versionOf(name: string, dependencies: RootPackage['dependencies']): string {
  const version = dependencies[name];
  if (version === undefined) throw new Error(`the package imports ${name}, which is no dependency`);
  return version;
}

if (import.meta.main) {
  const folder = resolve(ROOT, process.argv[2] ?? 'dist');
  console.log(`built ${buildPackage(folder)}; npm pack ${folder} makes the tarball`);
}
