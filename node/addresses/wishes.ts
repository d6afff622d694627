/**
 * What is wished for a Node's addresses, from options or Calico's environment variables: IP, IP6, IP_AUTODETECTION_METHOD,
 * IP6_AUTODETECTION_METHOD, AS. Pure.
 */
import { fail, ok, type Result } from '../../api/index.ts';
import { type IpVersion, parseInterfaceAddress } from '../../net/addr/index.ts';
import { type Method, parseMethod } from './autodetect.ts';
import type { AddressWish, NodeWishes } from './node-resource.ts';

export interface WishTexts {
  readonly ip?: string | undefined;
  readonly ip6?: string | undefined;
  readonly method?: string | undefined;
  readonly method6?: string | undefined;
  readonly asNumber?: string | undefined;
}

const LARGEST_AS = 0xffff_ffff;

/** Options win over the environment. */
export function wishTexts(given: WishTexts, env: Readonly<Record<string, string | undefined>>): WishTexts {
  return {
    ip: given.ip ?? env['IP'],
    ip6: given.ip6 ?? env['IP6'],
    method: given.method ?? env['IP_AUTODETECTION_METHOD'],
    method6: given.method6 ?? env['IP6_AUTODETECTION_METHOD'],
    asNumber: given.asNumber ?? env['AS'],
  };
}

export function parseWishes(texts: WishTexts): Result<NodeWishes> {
  const ip = parseWish(texts.ip, 4, '--ip');
  const ip6 = parseWish(texts.ip6, 6, '--ip6');
  const method = parseMethodOf(texts.method, '--ip-autodetection-method');
  const method6 = parseMethodOf(texts.method6, '--ip6-autodetection-method');
  const asNumber = parseAs(texts.asNumber);
  if (!ip.ok) return ip;
  if (!ip6.ok) return ip6;
  if (!method.ok) return method;
  if (!method6.ok) return method6;
  if (!asNumber.ok) return asNumber;
  return ok({
    ip: { 4: ip.value, 6: ip6.value },
    methods: { 4: method.value, 6: method6.value },
    asNumber: asNumber.value,
  });
}

function parseWish(text: string | undefined, version: IpVersion, field: string): Result<AddressWish> {
  if (text === undefined || text === '') return ok('keep');
  if (text === 'autodetect' || text === 'none') return ok(text);
  if (parseInterfaceAddress(text)?.address.version === version) return ok({ given: text });
  return fail({
    code: 'OPTION_INVALID',
    field,
    value: text,
    what: `${JSON.stringify(text)} is no IPv${version} address`,
    remedy: 'give an address, with its length if it is on no interface yet, or autodetect, or none',
  });
}

function parseMethodOf(text: string | undefined, field: string): Result<Method> {
  return text === undefined || text === '' ? ok({ kind: 'first-found' }) : parseMethod(text, field);
}

/** `65000` or, for four octets, `high.low` (RFC 5396). */
function parseAs(text: string | undefined): Result<number | undefined> {
  if (text === undefined || text === '') return ok(undefined);
  const dotted = /^(\d{1,5})\.(\d{1,5})$/.exec(text);
  const value = dotted === null ? Number(text) : Number(dotted[1]) * 65_536 + Number(dotted[2]);
  if (Number.isInteger(value) && value > 0 && value < LARGEST_AS) return ok(value);
  return fail({
    code: 'OPTION_INVALID',
    field: '--as',
    value: text,
    what: `${JSON.stringify(text)} is no AS number`,
    remedy: 'use 1 to 4294967294, or high.low',
  });
}
