/**
 * Holds the lists of what is not acted on (`api/kinds/acted-on.ts`) to the code of the daemons: a field that they name is
 * acted on, one that they never name is not. Names too common to tell anything are left out.
 */
import { expect } from 'chai';
import { ignoredFields } from '../../api/ignored.ts';
import { CONVERTED_KINDS } from '../../api/kubernetes/index.ts';
import { type Kind, KINDS } from '../../api/index.ts';
import { fieldsOf, schemaAt } from '../../api/schema/shape.ts';
import { isTest, readSources, type Source } from './sources.ts';

/** What two daemons have to agree upon stands in a room below both. */
const DAEMONS =
  /^(?:api\/(?:encapsulation|device-routes|pod-mtu)\.ts$|(?:felix-lite|bgpd|ipam|node|cni-plugin)\/(?!.*testing))/;

/** Named in daemons for other reasons: they write the field, or mean something else by the word. */
const OTHER_MEANINGS: ReadonlySet<string> = new Set([
  // bgpd's own log level in router.yaml; one word in two kinds.
  'BGPConfiguration spec.logSeverityScreen',
  'KubeControllersConfiguration spec.logSeverityScreen',
  // They change the MTU of workloads; nobody makes the tunnel.
  'FelixConfiguration spec.wireguardEnabled',
  'FelixConfiguration spec.wireguardEnabledV6',
  'FelixConfiguration spec.wireguardMTU',
  'FelixConfiguration spec.wireguardMTUV6',
  // With these, metrics are not served at all: we cannot encrypt them.
  'FelixConfiguration spec.prometheusMetricsCertFile',
  'FelixConfiguration spec.prometheusMetricsKeyFile',
  // FelixConfiguration's.
  'KubeControllersConfiguration spec.prometheusMetricsPort',
  // The agent takes these from pods into endpoints; nobody carries them out.
]);

/** What nobody acts on because it says what is, not what should be. */
const TELLING: ReadonlySet<string> = new Set([
  'ClusterInformation',
  'IPReservation',
  'Node spec.orchRefs',
  'Node spec.interfaces',
  // Read by the conversion in api/kubernetes/, which the agent calls.
  'Pod spec.hostNetwork',
  'Pod spec.containers',
  'Pod spec.initContainers',
]);

describe('the lists of what is not acted on', () => {
  const daemons = readSources().filter(({ path }) => DAEMONS.test(path) && !isTest(path));
  const words = new Set(daemons.flatMap(wordsOf));

  it('see the daemons', () => expect(words.size).to.be.greaterThan(1000));

  it('name no field that a daemon uses', () => {
    const used = KINDS.flatMap(({ kind }) =>
      ignoredFields(kind)
        .filter((path) => path !== 'spec' && !OTHER_MEANINGS.has(`${kind} ${path}`))
        .filter((path) => words.has(lastStep(path)) && !isCommon(path))
        .map((path) => `${kind} ${path}: remove it from api/kinds/acted-on.ts if it is acted on now`),
    );
    expect(used).to.deep.equal([]);
  });

  it('name every field of spec that no daemon uses', () => {
    const unused = KINDS.flatMap(({ kind, schema }) => {
      const ignored = ignoredFields(kind);
      const spec = schemaAt(schema, ['spec']);
      if (ignored.includes('spec') || spec === undefined || TELLING.has(kind)) return [];
      return Object.keys(fieldsOf(spec) ?? {})
        .filter((field) => !words.has(field) && !ignored.some((path) => path.startsWith(`spec.${field}`)))
        .filter((field) => !TELLING.has(`${kind} spec.${field}`))
        .map((field) => `${kind} spec.${field}: add it to api/kinds/acted-on.ts`);
    });
    expect(unused).to.deep.equal([]);
  });

  it('name whole kinds that no daemon reads, and none that one does', () => {
    const whole = KINDS.filter(({ kind }) => ignoredFields(kind).includes('spec')).map(({ kind }) => kind);
    expect(
      whole.filter(isRead).map((kind) => `${kind} is read: remove it from api/kinds/acted-on.ts`),
    ).to.deep.equal([]);
    const silent = KINDS.map(({ kind }) => kind).filter(
      (kind) => ignoredFields(kind).length === 0 && !TELLING.has(kind) && !isRead(kind),
    );
    expect(silent.filter((kind) => !WITHOUT_SPEC.has(kind))).to.deep.equal([]);
  });

  /** Mirrored, listed or got by its name; kinds that are converted count when those conversions are called for. */
  function isRead(kind: Kind): boolean {
    const converts = daemons.some(({ text }) => /\bCONVERTED_KINDS\b/.test(text));
    if (converts && CONVERTED_KINDS.some((one) => one === kind) && kind !== 'Pod') return true;
    return daemons.some(({ text }) => text.includes(`'${kind}'`));
  }
});

/** Nothing in them is to be acted on but their labels, by way of profiles. */
const WITHOUT_SPEC: ReadonlySet<string> = new Set(['Namespace', 'ServiceAccount']);

function wordsOf({ text }: Source): readonly string[] {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '').match(/[A-Za-z_][A-Za-z0-9_]*/g) ?? [];
}

function lastStep(path: string): string {
  return path.split('.').at(-1)!.replace('[]', '');
}

/** Words that stand for anything. */
function isCommon(path: string): boolean {
  return [
    'http',
    'policy',
    'namespace',
    'endpoints',
    'ports',
    'nodeSelector',
    'loadBalancer',
    'serviceAccount',
  ].includes(lastStep(path));
}
