/** The text that `ipset save` writes and `ipset restore` reads, as typed values. Pure. */

/** One set as the kernel holds it. */
export interface SavedSet {
  readonly name: string;
  /** `hash:net`, `hash:ip,port`, ... */
  readonly type: string;
  /** What was said at creation, by name; flags such as `counters` have the value ''. */
  readonly options: Readonly<Record<string, string>>;
  /** As the kernel prints them, in no order; an entry's own options (timeout, comment, nomatch) follow it. */
  readonly members: readonly string[];
}

/**
 * Reads the output of `ipset save`.
 *
 * @throws RangeError with the line number on text that the tool does not write
 */
export function parseSets(text: string): SavedSet[] {
  const sets = new Map<
    string,
    { name: string; type: string; options: Record<string, string>; members: string[] }
  >();
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '' || line.startsWith('#')) continue;
    const member = ADD.exec(line);
    if (member !== null) {
      const owner = sets.get(member[1] ?? '');
      if (owner === undefined)
        throw new RangeError(`ipset save, line ${index + 1}: add before create: ${line}`);
      owner.members.push(member[2] ?? '');
      continue;
    }
    const create = CREATE.exec(line);
    if (create === null)
      throw new RangeError(`ipset save, line ${index + 1}: neither create nor add: ${line}`);
    const [, name = '', type = '', options = ''] = create;
    sets.set(name, { name, type, options: parseOptions(options), members: [] });
  }
  return [...sets.values()];
}

const CREATE = /^create (\S+) (\S+)(?: (.*))?$/;
const ADD = /^add (\S+) (.+)$/;
/** Options of `create` that stand alone; every other one takes a value. */
const FLAGS = new Set(['counters', 'comment', 'skbinfo', 'forceadd', 'wildcard']);

function parseOptions(text: string): Record<string, string> {
  const words = text.split(' ').filter((word) => word !== '');
  const options: Record<string, string> = {};
  for (let i = 0; i < words.length; i++) {
    const name = words[i] ?? '';
    options[name] = FLAGS.has(name) ? '' : (words[++i] ?? '');
  }
  return options;
}

/** One line of `ipset restore` input. */
export type IpsetStep =
  | {
      readonly op: 'create';
      readonly name: string;
      readonly type: string;
      readonly family?: 'inet' | 'inet6';
      /** Most entries that the set may ever hold; the kernel's default is 65536. */
      readonly maxElements?: number;
      /** More options as the tool takes them, e.g. `['counters']`, `['timeout', '0']`. */
      readonly options?: readonly string[];
    }
  | { readonly op: 'add' | 'delete'; readonly name: string; readonly member: string }
  | { readonly op: 'swap'; readonly name: string; readonly with: string }
  | { readonly op: 'rename'; readonly name: string; readonly to: string }
  | { readonly op: 'flush' | 'destroy'; readonly name: string };

/**
 * Writes the input of `ipset restore`.
 *
 * @throws RangeError on names and members that would break out of their line
 */
export function buildSets(steps: readonly IpsetStep[]): string {
  return steps.map((step) => `${stepText(step)}\n`).join('');
}

function stepText(step: IpsetStep): string {
  const name = setName(step.name);
  switch (step.op) {
    case 'create':
      return [
        `create ${name} ${word(step.type)}`,
        ...(step.family === undefined ? [] : [`family ${step.family}`]),
        ...(step.maxElements === undefined ? [] : [`maxelem ${step.maxElements}`]),
        ...(step.options ?? []).map(word),
      ].join(' ');
    case 'add':
      return `add ${name} ${memberText(step.member)}`;
    case 'delete':
      return `del ${name} ${memberText(step.member)}`;
    case 'swap':
      return `swap ${name} ${setName(step.with)}`;
    case 'rename':
      return `rename ${name} ${setName(step.to)}`;
    case 'flush':
      return `flush ${name}`;
    case 'destroy':
      return `destroy ${name}`;
  }
}

/** IPSET_MAXNAMELEN is 32 with the final NUL. */
const MAX_NAME = 31;

function setName(name: string): string {
  if (name.length > MAX_NAME || name.startsWith('-'))
    throw new RangeError(`not the name of a set (1 to ${MAX_NAME} characters): ${JSON.stringify(name)}`);
  return word(name);
}

function word(text: string): string {
  if (!/^[!-~]+$/.test(text)) throw new RangeError(`not one word of ipset: ${JSON.stringify(text)}`);
  return text;
}

function memberText(member: string): string {
  if (member === '' || /[\n\r\0]/.test(member))
    throw new RangeError(`a member must stay on its line: ${JSON.stringify(member)}`);
  return member;
}
