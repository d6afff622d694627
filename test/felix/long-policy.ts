/** A policy of so many rules that writing or removing it takes the kernel longer than a stream pauses between two packets. */
import { np } from './node.ts';

const RULES = 3000;

/** On DB, and about nothing that streams send. */
export const LONG_POLICY = np('long', {
  selector: "role == 'db'",
  ingress: Array.from({ length: RULES }, (_, index) => ({
    action: 'Allow',
    protocol: 'UDP',
    destination: { ports: [index + 1] },
  })),
});
