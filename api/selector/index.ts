/** The selector language of Calico. */
export {
  canonicalText,
  compareText,
  type Comparison,
  evaluate,
  type Labels,
  mapLabels,
  type SelectorNode,
  someNode,
} from './ast.ts';
export { parseTree } from './parse.ts';
export { parseSelector, Selector, uniqueId } from './selector.ts';
