/** Metrics of a daemon as Prometheus would read them, from its control socket. */
import { request } from 'node:http';

export function scrape(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path: '/metrics', agent: false }, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk: string) => (text += chunk));
      incoming.on('end', () => resolve(text));
    })
      .on('error', reject)
      .end();
  });
}
