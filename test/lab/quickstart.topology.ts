/** The quickstart's own files under another name, so that a test does not meet the lab that somebody runs. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const TOPOLOGIES = join(import.meta.dirname, '..', '..', 'topologies');

export interface Copy {
  readonly name: string;
  readonly file: string;
  /** Folder of the manifests. */
  readonly manifests: string;
  remove(): void;
}

export function copyQuickstart(): Copy {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-quickstart-'));
  const name = `q${process.pid}`;
  const text = readFileSync(join(TOPOLOGIES, 'quickstart.clab.yml'), 'utf8');
  const file = join(folder, 'quickstart.clab.yml');
  writeFileSync(file, text.replace('name: quickstart', `name: ${name}`));
  cpSync(join(TOPOLOGIES, 'quickstart.expect.yml'), join(folder, 'quickstart.expect.yml'));
  cpSync(join(TOPOLOGIES, 'quickstart'), join(folder, 'quickstart'), { recursive: true });
  return {
    name,
    file,
    manifests: join(folder, 'quickstart'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
