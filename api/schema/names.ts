/** Fields that hold names: of resources, labels, interfaces, ports. The rules are those of Kubernetes. */
import { type Complaint, quote, read, type Reading, text } from './field.ts';

const LABEL = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?';
const DNS_LABEL = new RegExp(`^${LABEL}$`);
const DNS_SUBDOMAIN = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);
const LABEL_NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

export const MAX_NAME = 253;
export const MAX_LABEL = 63;

/** DNS-1123 subdomain: what almost every resource is called. */
export function name() {
  return read(
    text('a name of lower-case letters, digits, "-" and "."'),
    (text): Reading<string> => nameComplaint(text) ?? { value: text },
  ).meta({ examples: ['web.example-1'] });
}

/** DNS-1123 label, at most 63: no dots, because the name becomes part of other names. */
export function shortName() {
  return read(text('a name of lower-case letters, digits and "-"'), (text): Reading<string> => {
    if (text.length <= MAX_LABEL && DNS_LABEL.test(text)) return { value: text };
    return {
      what: `${quote(text)} is not a DNS label`,
      remedy: `use at most ${MAX_LABEL} lower-case letters, digits and "-", with a letter or digit at both ends`,
    };
  }).meta({ examples: ['prod-1'] });
}

export function nameComplaint(text: string): Complaint | undefined {
  if (text.length > MAX_NAME) {
    return {
      what: `${quote(text)} has ${text.length} characters`,
      remedy: `use a name of at most ${MAX_NAME} characters`,
    };
  }
  if (DNS_SUBDOMAIN.test(text)) return undefined;
  return {
    what: text === '' ? 'the name is empty' : `${quote(text)} is not a valid name`,
    remedy: 'use lower-case letters, digits, "-" and ".", with a letter or digit at both ends of each part',
  };
}

/** Linux interface name, or `*` where a field allows it. */
export function interfaceName(options: { readonly any?: boolean; readonly wildcard?: boolean } = {}) {
  const allowed = options.wildcard === true ? /^[a-zA-Z0-9_.*-]{1,15}$/ : /^[a-zA-Z0-9_.-]{1,15}$/;
  return read(text('an interface name such as eth0'), (text): Reading<string> => {
    if ((options.any === true && text === '*') || allowed.test(text)) return { value: text };
    return {
      what: `${quote(text)} is not an interface name`,
      remedy: 'use 1 to 15 letters, digits, "_", "." or "-", as in eth0',
    };
  }).meta({ examples: ['eth0', 'bond0.12'] });
}

/** Name of an endpoint's port: at most 15, lower-case, with a letter in it (RFC 6335 §5.1). */
export function portName() {
  return read(
    text('a port name such as http'),
    (text): Reading<string> => portNameComplaint(text) ?? { value: text },
  ).meta({ examples: ['http', 'dns-tcp'] });
}

export function portNameComplaint(text: string): Complaint | undefined {
  if (text.length <= 15 && DNS_LABEL.test(text) && /[a-z]/.test(text) && !text.includes('--'))
    return undefined;
  return {
    what: `${quote(text)} is not a port name`,
    remedy: 'use at most 15 lower-case letters, digits and single "-", with at least one letter, as in http',
  };
}

/** Labels: `prefix/name: value` with the limits of Kubernetes. */
export function* labelComplaints(labels: Readonly<Record<string, string>>): Generator<Complaint> {
  for (const [key, value] of Object.entries(labels)) {
    if (!isQualifiedName(key)) {
      yield {
        path: [key],
        what: `the label key ${quote(key)} is not valid`,
        remedy: 'use letters, digits, "-", "_" and "." (at most 63), optionally after a DNS name and "/"',
      };
    }
    if (value !== '' && !LABEL_NAME.test(value)) {
      yield {
        path: [key],
        what: `the label value ${quote(value)} is not valid`,
        remedy: 'use at most 63 letters, digits, "-", "_" and ".", with a letter or digit at both ends',
      };
    }
  }
}

const MAX_ANNOTATIONS = 256 * 1024;

/** Annotation keys follow the label rules (upper case is folded); all together at most 256 KiB. */
export function* annotationComplaints(annotations: Readonly<Record<string, string>>): Generator<Complaint> {
  let size = 0;
  for (const [key, value] of Object.entries(annotations)) {
    size += key.length + value.length;
    if (!isQualifiedName(key.toLowerCase())) {
      yield {
        path: [key],
        what: `the annotation key ${quote(key)} is not valid`,
        remedy: 'use letters, digits, "-", "_" and "." (at most 63), optionally after a DNS name and "/"',
      };
    }
  }
  if (size > MAX_ANNOTATIONS) {
    yield { what: `the annotations hold ${size} characters`, remedy: `keep them within ${MAX_ANNOTATIONS}` };
  }
}

export function isQualifiedName(key: string): boolean {
  const slash = key.indexOf('/');
  if (slash < 0) return LABEL_NAME.test(key);
  const prefix = key.slice(0, slash);
  return prefix.length <= MAX_NAME && DNS_SUBDOMAIN.test(prefix) && LABEL_NAME.test(key.slice(slash + 1));
}
