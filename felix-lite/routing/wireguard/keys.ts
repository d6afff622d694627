/** A node's private keys of WireGuard (X25519), each in a file that nobody else may read. */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Of a PKCS #8 X25519 key all but the key (RFC 8410). */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex');
const OCTETS = 32;
const MODE = 0o600;

export function newPrivateKey(): string {
  const { d } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  return Buffer.from(d ?? '', 'base64url').toString('base64');
}

/** Both in base64. Throws on what is no key. */
export function publicKeyOf(privateKey: string): string {
  const key = Buffer.concat([PKCS8, Buffer.from(privateKey, 'base64')]);
  const { x } = createPublicKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' })).export({
    format: 'jwk',
  });
  return Buffer.from(x ?? '', 'base64url').toString('base64');
}

/**
 * The key in the file. One that is missing or unreadable is made anew: to change a node's key, remove the file.
 *
 * @throws the file system's error
 */
export function keyIn(path: string): string {
  const there = read(path);
  if (there !== undefined) return there;
  const key = newPrivateKey();
  mkdirSync(dirname(path), { recursive: true });
  const beside = `${path}.${process.pid}`;
  writeFileSync(beside, `${key}\n`, { mode: MODE });
  renameSync(beside, path);
  return key;
}

function read(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim();
    // However it came by other rights.
    chmodSync(path, MODE);
    return Buffer.from(text, 'base64').length === OCTETS ? text : undefined;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
