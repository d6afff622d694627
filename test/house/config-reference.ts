/** The page about router.yaml, printed from the JSON Schema that `poplin bgpd --print-schema` prints. */

interface Node {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly anyOf?: readonly Node[];
  readonly items?: Node;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Node;
}

/** @param introduction  what stands in front, Markdown */
export function configReference(schema: object, introduction: string): string {
  const root = schema as Node;
  const shared = root.properties?.['peers']?.items?.properties ?? {};
  const settings = Object.fromEntries(Object.entries(shared).filter(([name]) => !OWN.has(name)));
  return `${[
    introduction.trim(),
    '## Fields',
    table(rows(root, '', isSetting)),
    '## Settings of a peer, or of a group',
    'A field that a peer does not have comes from its group, then from the group that one is in.',
    table(rows({ type: 'object', properties: settings }, '', () => false)),
  ].join('\n\n')}\n`;
}

/** What a peer has and a group has not. */
const OWN = new Set(['address', 'name']);

/** Settings stand in peers and in groups, and have a table of their own; what may be negated has been told. */
function isSetting(path: string): boolean {
  return /^(?:peerGroups\.NAME|peers\[\]|dynamicPeers\[\])\.(?!address$|name$|prefix$|limit$)|\.match\.not\./.test(
    path,
  );
}

type Row = readonly [field: string, kind: string, description: string];

function rows(node: Node, path: string, skip: (path: string) => boolean): Row[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const field = path === '' ? name : `${path}.${name}`;
    if (skip(field)) return [];
    const mandatory = node.required?.includes(name) === true ? ' Required.' : '';
    return [
      [field, kindOf(child), `${child.description ?? ''}${mandatory}${presetOf(child)}`] as const,
      ...below(child, field, skip),
    ];
  });
}

function below(node: Node, field: string, skip: (path: string) => boolean): Row[] {
  if (node.properties !== undefined) return rows(node, field, skip);
  if (node.items !== undefined) return below(node.items, `${field}[]`, skip);
  const member = node.additionalProperties;
  return typeof member === 'object' ? below(member, `${field}.NAME`, skip) : [];
}

function kindOf(node: Node): string {
  if (node.const !== undefined) return plain(node.const);
  if (node.enum !== undefined) return node.enum.map(String).join(' or ');
  if (node.anyOf !== undefined) return node.anyOf.map(kindOf).join(' or ');
  if (node.items !== undefined) return `list of ${kindOf(node.items)}`;
  if (typeof node.additionalProperties === 'object')
    return `mapping of names to ${kindOf(node.additionalProperties)}`;
  if (node.minimum !== undefined && node.maximum !== undefined) return `${node.minimum} to ${node.maximum}`;
  const types = [node.type ?? 'anything'].flat();
  return types.map((type) => TYPES[type] ?? type).join(' or ');
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  boolean: 'true or false',
  object: 'mapping',
};

function presetOf({ default: preset }: Node): string {
  if (preset === undefined) return '';
  const text = Array.isArray(preset) ? `[${preset.join(', ')}]` : plain(preset);
  return ` Default: \`${text}\`.`;
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function table(lines: readonly Row[]): string {
  const cells = lines.map(([field, kind, text]) => `| \`${field}\` | ${escape(kind)} | ${escape(text)} |`);
  return ['| Field | Value | |', '|---|---|---|', ...cells].join('\n');
}

function escape(text: string): string {
  return text.replaceAll('|', '\\|');
}
