/**
 * `etcd://[USER:PASSWORD@]HOST:PORT[,HOST:PORT...][/PREFIX][?ca=FILE&cert=FILE&key=FILE&name=NAME]`; `etcds://` speaks
 * TLS. `name` is the name in the servers' certificate where they are reached by address.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { PoplinError } from '../../api/problem.ts';
import { DEFAULT_PREFIX } from './keys.ts';

export interface EtcdOptions {
  /** `http://host:port` or `https://host:port`. */
  readonly endpoints: readonly string[];
  /** Folder of everything, without a slash at the end; `/calico`. */
  readonly prefix: string;
  readonly auth?: { readonly username: string; readonly password: string };
  readonly tls?: {
    readonly ca?: Buffer;
    readonly cert?: Buffer;
    readonly key?: Buffer;
    readonly serverName?: string;
  };
}

const FORM = /^(etcds?):\/\/(?:([^:@/]+):([^@/]*)@)?([^/?@]+)(\/[^?]*)?(?:\?(.*))?$/;
const FILES = ['ca', 'cert', 'key'] as const;

/** @throws PoplinError STORE_LOCATION when the location does not have the form, or names a file that cannot be read */
export function parseLocation(location: string): EtcdOptions {
  const [, scheme, username, password, hosts = '', prefix = '', query = ''] = FORM.exec(location) ?? [];
  const endpoints = hosts.split(',');
  if (
    scheme === undefined ||
    !endpoints.every((host) => /^(?:[\w.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}$/.test(host))
  ) {
    throw invalid(
      location,
      'write it as etcd://HOST:PORT, or etcds://USER:PASSWORD@HOST:PORT,HOST:PORT/calico?ca=FILE',
    );
  }
  const secure = scheme === 'etcds';
  const settings = new URLSearchParams(query);
  const unknown = [...settings.keys()].find((name) => !['ca', 'cert', 'key', 'name'].includes(name));
  if (unknown !== undefined)
    throw invalid(location, `"${unknown}" is no setting; use ca, cert, key and name`);
  if (!secure && settings.size > 0) throw invalid(location, 'certificates are for etcds://');
  // etcd3 asks for the token on a connection of its own, which does not know the name.
  if (username !== undefined && settings.has('name'))
    throw invalid(
      location,
      'with a user, reach the servers by the name in their certificate instead of "name"',
    );
  // Node refuses to ask a TLS server for an address by name, which is what gRPC does.
  if (secure && !settings.has('name') && endpoints.some((host) => isIP(host.replace(/:\d+$|[[\]]/g, '')) > 0))
    throw invalid(location, 'reach the servers by a name in their certificate, or give one with "name"');
  const auth =
    username === undefined
      ? {}
      : { auth: { username: decodeURIComponent(username), password: decodeURIComponent(password ?? '') } };
  return {
    endpoints: endpoints.map((host) => `${secure ? 'https' : 'http'}://${host}`),
    prefix: prefix.replace(/\/+$/, '') || DEFAULT_PREFIX,
    ...auth,
    ...(secure ? { tls: readTls(location, settings) } : {}),
  };
}

function readTls(location: string, settings: URLSearchParams): NonNullable<EtcdOptions['tls']> {
  const files = FILES.flatMap((name) => {
    const path = settings.get(name);
    if (path === null) return [];
    try {
      return [[name, readFileSync(path)] as const];
    } catch (error) {
      throw invalid(
        location,
        `make ${path} readable (${error instanceof Error ? error.message : String(error)})`,
      );
    }
  });
  const serverName = settings.get('name');
  return { ...Object.fromEntries(files), ...(serverName === null ? {} : { serverName }) };
}

function invalid(location: string, remedy: string): PoplinError {
  const shown = location.replace(/:[^:@/]*@/, ':***@');
  return new PoplinError([
    { code: 'STORE_LOCATION', value: shown, what: `the datastore location ${shown} cannot be used`, remedy },
  ]);
}
