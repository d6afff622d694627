/**
 * Whom selectors select, by labels. The same few texts are asked of the same labels for every packet, so both are
 * remembered; labels do not change once they have been asked about.
 */
import { type Labels, parseSelector, type Selector } from '../../api/index.ts';
import { Prefix } from '../../net/addr/index.ts';

const PARSED_LIMIT = 20_000;
const SELECTORS = new Map<string, Selector | undefined>();
const NETS = new Map<string, Prefix | undefined>();
const ANSWERS = new WeakMap<Labels, Map<string, boolean>>();

/**
 * @param prefix  in front of the labels that the selector names without it
 * @param all  what `all()` means there: in some namespace, of some account
 */
export function selects(text: string, labels: Labels, prefix = '', all = true): boolean {
  const selector = remembered(SELECTORS, text, () => {
    const parsed = parseSelector(text);
    return parsed.ok ? parsed.value : undefined;
  });
  if (selector === undefined) return false;
  if (selector.canonical === 'all()') return all;
  const answers = ANSWERS.get(labels) ?? new Map<string, boolean>();
  ANSWERS.set(labels, answers);
  const question = `${prefix} ${text}`;
  const known = answers.get(question);
  if (known !== undefined) return known;
  const seen = Object.entries(labels).flatMap(([label, value]) =>
    label.startsWith(prefix) ? [[label.slice(prefix.length), value] as const] : [],
  );
  const answer = selector.matches(Object.fromEntries(seen));
  answers.set(question, answer);
  return answer;
}

/** Undefined: it is none. */
export function parsedNet(text: string): Prefix | undefined {
  return remembered(NETS, text, () => Prefix.parse(text, { hostBits: 'mask' }));
}

function remembered<T>(known: Map<string, T>, key: string, make: () => T): T {
  const found = known.get(key);
  if (found !== undefined || known.has(key)) return found as T;
  if (known.size >= PARSED_LIMIT) known.clear();
  const made = make();
  known.set(key, made);
  return made;
}
