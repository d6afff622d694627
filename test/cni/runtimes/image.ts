/** An image without a registry: a static busybox that serves a page, as the archive that `docker save` would write. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

export const IMAGE = 'localhost/pod:1';
export const PAGE = 'hello from the pod\n';

interface Entry {
  readonly name: string;
  readonly content: Buffer;
  readonly mode?: number;
}

/** Writes the archive to `path`. Its program answers HTTP on port 80. */
export function writeImage(path: string): void {
  const layer = tar([
    { name: 'bin/busybox', content: readFileSync('/bin/busybox'), mode: 0o755 },
    { name: 'www/index.html', content: Buffer.from(PAGE) },
    { name: 'etc/passwd', content: Buffer.from('root:x:0:0:root:/:/bin/busybox\n') },
  ]);
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Entrypoint: ['/bin/busybox', 'httpd', '-f', '-p', '80', '-h', '/www'] },
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    }),
  );
  const configName = `${sha256(config)}.json`;
  const manifest = [{ Config: configName, RepoTags: [IMAGE], Layers: ['layer.tar'] }];
  writeFileSync(
    path,
    tar([
      { name: configName, content: config },
      { name: 'layer.tar', content: layer },
      { name: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) },
    ]),
  );
}

const BLOCK = 512;

/** A tar archive (POSIX ustar, regular files only): a header block, the content in whole blocks, two empty blocks. */
function tar(entries: readonly Entry[]): Buffer {
  const blocks = entries.flatMap(({ name, content, mode = 0o644 }) => {
    const header = Buffer.alloc(BLOCK);
    header.write(name, 0);
    header.write(octal(mode, 7), 100);
    header.write(octal(0, 7), 108);
    header.write(octal(0, 7), 116);
    header.write(octal(content.length, 11), 124);
    header.write(octal(0, 11), 136);
    // The checksum is taken with blanks in its own place.
    header.write(' '.repeat(8), 148);
    header.write('0', 156);
    header.write('ustar\0', 257);
    header.write('00', 263);
    const sum = header.reduce((total, octet) => total + octet, 0);
    header.write(`${octal(sum, 6)}\0 `, 148);
    const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
    return [header, content, padding];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

function sha256(octets: Buffer): string {
  return createHash('sha256').update(octets).digest('hex');
}
