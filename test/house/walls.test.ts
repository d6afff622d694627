/** Holds every import in the tree to the walls of `walls.ts`, and the walls to the rooms that exist. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { ROOT, type Source, importsOf, inRoom, isTest, readSources } from './sources.ts';
import {
  DOORS,
  FLOORS,
  GROUND_FLOOR_STAIRS,
  IMPURE_WORDS,
  PURE,
  PURE_NODE_MODULES,
  STRANGERS,
} from './walls.ts';

describe('the walls of the house', () => {
  const sources = new Map(readSources().map((source) => [source.path, source]));
  const own = [...sources.values()].filter((source) => !isTest(source.path));

  it('sees the sources', () => {
    expect(own.length).to.be.greaterThan(50);
    const edges = own.flatMap((source) => source.imports.filter((found) => found.file !== undefined));
    expect(edges.length).to.be.greaterThan(100);
  });

  it('reads every form of import', () => {
    const text = [
      `import { a } from './a.ts';`,
      `import type { b } from './b.ts';`,
      `export * from './c.ts';`,
      `import './d.ts';`,
      `import {\n  e,\n} from './e.ts';`,
      // In two parts, or this very line would be read as an import of this file.
      ['const f = await import', `('./f.ts');`].join(''),
      `const text = "from './not.ts'";`,
    ].join('\n');
    const files = importsOf('x/y.ts', text).map((found) => found.file);
    expect(files).to.deep.equal(['x/a.ts', 'x/b.ts', 'x/c.ts', 'x/d.ts', 'x/e.ts', 'x/f.ts']);
  });

  it('names only rooms and doors that exist', () => {
    const named = [
      ...FLOORS.flatMap((floor) => floor.rooms),
      ...PURE.map((rule) => rule.room),
      ...DOORS.flatMap((door) => door.only),
      ...STRANGERS.flatMap((pair) => [pair.a, pair.b]),
    ];
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).to.deep.equal([]);
  });

  it('finds every file of ours on a floor', () => {
    const homeless = own.filter((source) => floorOf(source.path) === undefined).map((source) => source.path);
    expect(homeless).to.deep.equal([]);
  });

  it('imports only what exists', () => {
    const broken = [...sources.values()].flatMap((source) =>
      source.imports
        .filter((found) => found.file !== undefined && !existsSync(join(ROOT, found.file)))
        .map((found) => `${source.path}:${found.line} imports ${found.specifier}`),
    );
    expect(broken).to.deep.equal([]);
  });

  it('imports downward only', () => {
    const wrong = own.flatMap((source) =>
      source.imports.flatMap((found) => {
        if (found.file === undefined || mayImport(source.path, found.file)) return [];
        return [
          `${source.path}:${found.line} (${describeRoom(source.path)}) imports ${found.file} (${describeRoom(found.file)})`,
        ];
      }),
    );
    expect(wrong).to.deep.equal([]);
  });

  for (const { room, because } of PURE) {
    it(`${room} is pure: ${because}`, () => {
      const inside = own.filter((source) => inRoom(source.path, room));
      expect(inside.length, 'files in the room').to.be.greaterThan(0);
      const impure = inside.flatMap((source) => impurities(source).map((what) => `${source.path}: ${what}`));
      expect(impure).to.deep.equal([]);
    });
  }

  for (const { module, only, because } of DOORS) {
    it(`only ${only.join(', ')} may import ${module.source}: ${because}`, () => {
      const wrong = own.flatMap((source) =>
        source.imports
          .filter((found) => module.test(found.specifier) && !only.some((room) => inRoom(source.path, room)))
          .map((found) => `${source.path}:${found.line} imports ${found.specifier}`),
      );
      expect(wrong).to.deep.equal([]);
    });
  }

  for (const { a, b, because } of STRANGERS) {
    it(`${a} and ${b} never reach each other: ${because}`, () => {
      const meetings = [
        [a, b],
        [b, a],
      ].flatMap(([from = '', to = '']) =>
        own
          .filter((source) => inRoom(source.path, from))
          .flatMap((source) => chains(source).filter((chain) => inRoom(chain.at(-1) ?? '', to)))
          .map((chain) => chain.join(' -> ')),
      );
      expect(meetings).to.deep.equal([]);
    });
  }

  it('has no circle of imports', () => {
    const circles = own
      .flatMap((source) =>
        chains(source).filter((chain) =>
          sources.get(chain.at(-1) ?? '')?.imports.some((i) => i.file === source.path),
        ),
      )
      .map((chain) => [...chain, chain[0]].join(' -> '));
    expect(circles).to.deep.equal([]);
  });

  /** Every file that `source` reaches, each with one shortest chain of imports to it. */
  function chains(source: Source): string[][] {
    const found = new Map<string, string[]>([[source.path, [source.path]]]);
    for (const [path, chain] of found) {
      for (const { file } of sources.get(path)?.imports ?? []) {
        if (file !== undefined && !found.has(file)) found.set(file, [...chain, file]);
      }
    }
    return [...found.values()];
  }

  /** What makes a file impure: a module that does I/O, or a word that reaches time or the process, here or in what it imports. */
  function impurities(source: Source): string[] {
    return chains(source).flatMap((chain) => {
      const reached = sources.get(chain.at(-1) ?? '');
      if (reached === undefined) return [];
      const via = chain.length === 1 ? '' : ` (reached by ${chain.slice(1).join(' -> ')})`;
      const modules = reached.imports
        .filter(({ specifier }) => specifier.startsWith('node:') && !PURE_NODE_MODULES.includes(specifier))
        .map(({ specifier }) => `imports ${specifier}${via}`);
      const words = withoutComments(reached.text)
        .split('\n')
        .flatMap((line) => IMPURE_WORDS.exec(line)?.[0] ?? [])
        .map((word) => `uses ${word}${via}`);
      return [...modules, ...words];
    });
  }
});

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}

/** The room a file lives in and its floor, counted from 0. */
function floorOf(path: string): { readonly room: string; readonly floor: number } | undefined {
  return FLOORS.flatMap(({ rooms }, floor) => rooms.map((room) => ({ room, floor })))
    .filter(({ room }) => inRoom(path, room))
    .sort((a, b) => b.room.length - a.room.length)[0];
}

function mayImport(from: string, to: string): boolean {
  const [here, there] = [floorOf(from), floorOf(to)];
  if (here === undefined || there === undefined) return false;
  if (here.room === there.room || there.floor < here.floor) return true;
  return GROUND_FLOOR_STAIRS.some((stair) => stair.from === here.room && stair.to === there.room);
}

function describeRoom(path: string): string {
  const found = floorOf(path);
  return found === undefined ? 'no room' : `${found.room}, floor ${found.floor}`;
}
