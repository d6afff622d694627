/** bgp neighbors, bgp neighbor. */
import type { NeighbourView, PeerView } from '../../bgpd/speaker/view.ts';
import { PoplinError } from '../../api/problem.ts';
import { askControl } from '../../daemon/control.ts';
import { type Action, type Arguments, EXIT, type ExitCode } from '../command.ts';
import { tellProblems } from '../failure.ts';
import { drawNeighbor, drawNeighbors } from '../output/bgp-neighbors.ts';
import { ManyValues } from '../output/many.ts';
import { structured } from '../output/structured.ts';
import { ask, chooseSpeakers, type SpeakerPlace } from '../speakers.ts';
import type { bgpNeighborsTable, bgpNeighborTable } from '../tables/bgp.ts';
import type { Terminal } from '../terminal.ts';

const DEADLINE_MS = 10_000;

export const bgpNeighbors: Action<Arguments<typeof bgpNeighborsTable>> = async (args, terminal) => {
  const places = chooseSpeakers(args, terminal.env);
  const several = places.length > 1;
  if (args.output !== 'table') {
    const values = new ManyValues(terminal, args.output);
    const code = await eachPlace(places, terminal, async (place) => {
      for await (const peer of await ask<PeerView>(place, '/neighbors'))
        if (!(await values.put(several ? { node: place.node, ...peer } : peer))) return;
    });
    await values.end();
    return code;
  }
  return eachPlace(places, terminal, async (place) => {
    const peers: PeerView[] = [];
    for await (const peer of await ask<PeerView>(place, '/neighbors')) peers.push(peer);
    terminal.out(`${several ? `Node ${place.node ?? place.socket}\n` : ''}${drawNeighbors(peers)}`);
    if (several) terminal.out('\n');
  });
};

export const bgpNeighbor: Action<Arguments<typeof bgpNeighborTable>> = async (args, terminal) => {
  const places = chooseSpeakers(args, terminal.env);
  const found: (NeighbourView & { readonly node?: string })[] = [];
  const missing: PoplinError[] = [];
  for (const { node, socket } of places) {
    const url = `/neighbor?name=${encodeURIComponent(args.neighbor)}`;
    const answer = await askControl<NeighbourView>(socket, 'GET', url, { deadlineMs: DEADLINE_MS });
    if (answer.ok) found.push(node === undefined ? answer.value : { node, ...answer.value });
    else missing.push(new PoplinError(answer.problems));
  }
  // A name may be there on some nodes of a lab only.
  const [first] = missing;
  if (found.length === 0 && first !== undefined) throw first;
  terminal.out(
    structured(found.length === 1 ? found[0] : found, args.output) ??
      found.map((each) => drawNeighbor(each)).join('\n'),
  );
  return EXIT.ok;
};

/** One place that does not answer does not hide the others. */
async function eachPlace(
  places: readonly SpeakerPlace[],
  terminal: Terminal,
  visit: (place: SpeakerPlace) => Promise<void>,
): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  for (const place of places) {
    try {
      await visit(place);
    } catch (error) {
      if (!(error instanceof PoplinError)) throw error;
      tellProblems(error.problems, terminal);
      code = EXIT.failure;
    }
  }
  return code;
}
