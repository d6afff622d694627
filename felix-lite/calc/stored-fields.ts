/** Checks by hand of what is common in stored resources, none of which takes what the schema refuses. */

export type Fields = Readonly<Record<string, unknown>>;
export type Check = (value: unknown) => boolean;

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;
const NAME_LIMIT = 253;
const SHORT_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const LABEL =
  /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?$/;
const LABEL_LIMIT = 63;
const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?$/;

export const isText = (value: unknown): value is string => typeof value === 'string';

export const isName: Check = (value) =>
  typeof value === 'string' && value.length <= NAME_LIMIT && NAME.test(value);

export const matches =
  (pattern: RegExp): Check =>
  (value) =>
    typeof value === 'string' && pattern.test(value);

export const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);

const isLabels: Check = (value) =>
  isFields(value) &&
  Object.entries(value).every(
    ([key, text]) =>
      key.length <= LABEL_LIMIT && LABEL.test(key) && typeof text === 'string' && LABEL_VALUE.test(text),
  );

/** One word without dots. */
export const isShortName = matches(SHORT_NAME);

export const METADATA: Readonly<Record<string, Check>> = {
  name: isName,
  namespace: isShortName,
  labels: isLabels,
};

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function hasOnly(value: unknown, checks: Readonly<Record<string, Check>>): value is Fields {
  if (!isFields(value)) return false;
  for (const key of Object.keys(value)) {
    const check = Object.hasOwn(checks, key) ? checks[key] : undefined;
    if (check === undefined || !check(value[key])) return false;
  }
  return true;
}
