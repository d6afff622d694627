/** Splits a command line as containerlab does: words, quotes and backslashes, but no shell. */
import { type Result, fail, ok } from '../../api/problem.ts';

/**
 * `ip route add "a b" c\ d` -> five words. Single quotes keep everything, double quotes all but `\`, `"`.
 * There are no variables, pipes or globs; who wants those writes `sh -c '...'`.
 */
export function splitWords(text: string): Result<string[]> {
  const words: string[] = [];
  let word: string | undefined;
  let quote: '"' | "'" | undefined;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '\\' && quote !== "'") {
      at++;
      if (at === text.length) return unbalanced(text, 'ends in a backslash');
      word = (word ?? '') + text.charAt(at);
    } else if (quote !== undefined) {
      if (char === quote) quote = undefined;
      else word = (word ?? '') + char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote !== undefined) return unbalanced(text, `has an opening ${quote} without its end`);
  if (word !== undefined) words.push(word);
  return ok(words);
}

function unbalanced(text: string, how: string): Result<string[]> {
  return fail({
    code: 'TOPOLOGY_INVALID',
    what: `the command ${JSON.stringify(text)} ${how}`,
    remedy: 'balance the quotes',
    value: text,
  });
}
