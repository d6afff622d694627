/** Reference to one key of a Kubernetes secret. */
import { z } from 'zod';

export const secretKeyRef = z.strictObject({
  name: z.string(),
  key: z.string(),
  optional: z.exactOptional(z.boolean()),
});
