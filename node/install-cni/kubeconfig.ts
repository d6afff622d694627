/**
 * A kubeconfig for plugins of the chain that speak to the Kubernetes API themselves; ours does not. It holds the token of
 * the pod that installs, which the kubelet renews: who stays (`--watch`) writes it again.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** @param account  folder with `token` and `ca.crt`. @throws the file system's error when there is none */
export function kubeconfigOf(account: string, host: string, port: string): string {
  const token = readFileSync(join(account, 'token'), 'utf8').trim();
  const ca = readFileSync(join(account, 'ca.crt')).toString('base64');
  const address = host.includes(':') ? `[${host}]` : host;
  // JSON is YAML.
  return `${JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'local',
          cluster: { server: `https://${address}:${port}`, 'certificate-authority-data': ca },
        },
      ],
      users: [{ name: 'poplin', user: { token } }],
      contexts: [{ name: 'poplin', context: { cluster: 'local', user: 'poplin' } }],
      'current-context': 'poplin',
    },
    undefined,
    2,
  )}\n`;
}
