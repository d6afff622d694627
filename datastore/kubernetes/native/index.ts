/** All kinds that Kubernetes keeps itself, see `native.ts`. */
import type { NativeKind } from './native.ts';

export const NATIVE_KINDS: readonly NativeKind[] = [];
