/** What a network configuration asks for that this agent is not: another node's, another dataplane's. DEL does not care. */
import { readFileSync } from 'node:fs';
import { type CniError, CniCode, cniError } from '../../cni-plugin/error.ts';
import type { NetConf } from '../../cni-plugin/netconf.ts';

/** @returns undefined when the configuration is for us */
export function misfitOf(conf: NetConf, node: string): CniError | undefined {
  return foreignNode(conf, node) ?? foreignDataplane(conf) ?? gateThatIsNone(conf);
}

/** Copied from another machine, or left over from before this one was renamed. */
function foreignNode({ nodeName, nodeNameFile }: NetConf, node: string): CniError | undefined {
  const [key, name] =
    nodeName === undefined ? ['nodename_file', wordsOf(nodeNameFile)] : ['nodename', nodeName];
  if (name === undefined || name === node) return undefined;
  return invalid(
    `${key} says ${JSON.stringify(name)}, and this node's agent serves ${node}; make them agree, or leave ${key} out`,
  );
}

/** Undefined when there is no such file: Calico's plugin takes that for a node that is not up, which the agent knows better. */
function wordsOf(path: string | undefined): string | undefined {
  try {
    return path === undefined ? undefined : readFileSync(path, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Calico hands everything over to a server of another make where the type is `grpc`. */
function foreignDataplane({ dataplane }: NetConf): CniError | undefined {
  if (dataplane === 'linux') return undefined;
  return cniError(
    CniCode.unsupportedField,
    `dataplane_options.type is ${JSON.stringify(dataplane)}; this plugin has linux alone`,
  );
}

function gateThatIsNone({ readinessGates }: NetConf): CniError | undefined {
  const wrong = readinessGates.find((url) => !/^https?:$/.test(URL.parse(url)?.protocol ?? ''));
  if (wrong === undefined) return undefined;
  return invalid(`readiness_gates has ${JSON.stringify(wrong)}, which is not an http or https URL`);
}

function invalid(msg: string): CniError {
  return cniError(CniCode.invalidConfiguration, msg);
}
