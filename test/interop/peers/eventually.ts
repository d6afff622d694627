/**
 * Waiting for other people's daemons: asks until the answer is right, and then says what the last one was. The limit is for
 * what never comes; what comes late on a busy machine is no failure.
 */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T> | T,
  right: (answer: T) => boolean,
  withinMs = 60_000,
): Promise<T> {
  const until = performance.now() + withinMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (right(answer)) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > until)
      throw new Error(`${what}: not within ${withinMs} ms; last answer: ${show(last)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** An answer can be a table of 50,000 routes. */
const SHOWN = 4_000;

function show(answer: unknown): string {
  if (answer instanceof Error) return answer.message;
  const text = typeof answer === 'string' ? answer : (JSON.stringify(answer) ?? 'undefined');
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)} ... (${text.length} characters)`;
}
