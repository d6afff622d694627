/** Refusals of ipset: the kernel's numbers, of which ipset has its own beyond 4096, with their meaning. */
import { PoplinError } from '../../../../api/problem.ts';
import { errnoName, errnoText } from '../../errors.ts';

interface Meaning {
  readonly code: string;
  readonly text: string;
  readonly remedy?: string;
}

const FREE_THE_SET = 'remove the rules that look into the set first';

/** IPSET_ERR_* from linux/netfilter/ipset/ip_set.h; from 4352 on those of the hash types (ip_set_hash.h). */
const MEANINGS: Readonly<Record<number, Meaning>> = {
  4097: { code: 'PROTOCOL', text: 'the kernel speaks another version of the ipset protocol' },
  4098: { code: 'FIND_TYPE', text: 'the kernel has no such type of set, or not in this revision' },
  4099: { code: 'MAX_SETS', text: 'the kernel holds as many sets as it can' },
  4100: { code: 'BUSY', text: 'the set is in use', remedy: FREE_THE_SET },
  4101: { code: 'EXIST_SETNAME2', text: 'a set of the new name exists already' },
  4102: { code: 'TYPE_MISMATCH', text: 'the two sets are of different types' },
  4103: { code: 'EXIST', text: 'the member is there already, or is not there to be deleted' },
  4104: { code: 'INVALID_CIDR', text: 'a prefix length that this type of set cannot hold' },
  4105: { code: 'INVALID_NETMASK', text: 'an invalid netmask' },
  4106: { code: 'INVALID_FAMILY', text: 'a family that this type of set does not know' },
  4107: { code: 'TIMEOUT', text: 'a timeout for a set that was made without timeouts' },
  4108: { code: 'REFERENCED', text: 'rules or other sets refer to the set', remedy: FREE_THE_SET },
  4109: { code: 'IPADDR_IPV4', text: 'the set holds IPv4 addresses and this is none' },
  4110: { code: 'IPADDR_IPV6', text: 'the set holds IPv6 addresses and this is none' },
  4352: {
    code: 'HASH_FULL',
    text: 'the set is full',
    remedy: 'give the set more room (maxElements) when it is made; a larger one can take its place by swap',
  },
  4353: { code: 'HASH_ELEM', text: 'a null value cannot be in this type of set' },
  4354: { code: 'INVALID_PROTO', text: 'an invalid protocol' },
  4355: { code: 'MISSING_PROTO', text: 'the protocol is missing' },
  4356: { code: 'HASH_RANGE_UNSUPPORTED', text: 'this type of set takes no ranges' },
  4357: { code: 'HASH_RANGE', text: 'an invalid range' },
};

/** A step that ipset refused. */
export class IpsetError extends PoplinError {
  /** As the kernel gave it: of errno.h, or above 4096 one of ipset's own. */
  readonly errno: number;
  /** `HASH_FULL`, `REFERENCED`, ... or the errno's name, such as `ENOENT`. */
  readonly code: string;
  /** Which of the steps it was, counted from 0. */
  readonly index: number;

  constructor(errno: number, step: string, index: number) {
    const meaning = MEANINGS[errno] ?? plain(errno);
    super([
      {
        code: `IPSET_${meaning.code.replaceAll(' ', '_').toUpperCase()}`,
        what: `ipset ${step}: ${meaning.text}`,
        remedy: meaning.remedy ?? 'compare with what `ipset list` shows',
        value: step,
      },
    ]);
    this.errno = errno;
    this.code = meaning.code;
    this.index = index;
  }
}

function plain(errno: number): Meaning {
  const name = errnoName(errno);
  if (name === 'ENOENT') return { code: name, text: 'there is no such set' };
  if (name === 'EEXIST') return { code: name, text: 'a set of that name and another make exists already' };
  return { code: name, text: errnoText(errno) };
}
