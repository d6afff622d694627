/** The screen of a preview: flows that open or close, those that change alike in one row. */
import type { FlowChange, Preview } from '../../felix-lite/explain/preview/preview.ts';
import { columns } from './table.ts';

const HEADINGS = ['CHANGE', 'FROM', 'TO', 'TRAFFIC'];
/** Kinds of peers that a cell names. */
const NAMED = 3;
const LISTED = 4;

export function drawPreview(preview: Preview): string {
  const { flows, peers, pairs, addressesLeft } = preview;
  const notes = [
    ...(pairs.judged < pairs.all
      ? [
          `Cut short: of ${pairs.all} pairs of workloads and addresses that it might concern, ${pairs.judged} were judged.`,
        ]
      : []),
    ...(addressesLeft > 0
      ? [`${addressesLeft} prefixes that rules and sets name were not looked at for themselves.`]
      : []),
  ];
  const grouped = rowsOf(flows);
  // Only where it makes a difference by which of its host's interfaces a workload is reached.
  const hasWays = grouped.some(({ by }) => by !== undefined);
  const rows = grouped.map(({ change, from, to, traffic, by }) => [
    change,
    textOf(from, peers),
    textOf(to, peers),
    traffic.length > LISTED
      ? `${traffic.slice(0, LISTED).join(', ')} and ${traffic.length - LISTED} more`
      : traffic.join(', '),
    ...(hasWays ? [by ?? ''] : []),
  ]);
  const body =
    rows.length === 0
      ? 'No flow between workloads, hosts behind host endpoints and addresses outside opens or closes.\n'
      : columns([...HEADINGS, ...(hasWays ? ['WAY'] : [])], rows);
  return body + notes.map((note) => `${note}\n`).join('');
}

interface Row {
  readonly change: FlowChange['change'];
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly traffic: readonly string[];
  readonly by?: string;
}

/** First those of one source, then those of the same destinations. */
function rowsOf(flows: readonly FlowChange[]): readonly Row[] {
  const bySource = Map.groupBy(flows, ({ change, from, traffic, by }) =>
    JSON.stringify([change, from, traffic, by]),
  );
  const wide = [...bySource.values()].flatMap((list): readonly Row[] => {
    const [first] = list;
    return first === undefined ? [] : [{ ...first, from: [first.from], to: list.map(({ to }) => to) }];
  });
  const byTarget = Map.groupBy(wide, ({ change, to, traffic, by }) =>
    JSON.stringify([change, to, traffic, by]),
  );
  return [...byTarget.values()].flatMap((list): readonly Row[] => {
    const [first] = list;
    return first === undefined ? [] : [{ ...first, from: list.flatMap(({ from }) => from) }];
  });
}

function textOf(places: readonly number[], peers: Preview['peers']): string {
  const labels = places.slice(0, NAMED).map((place) => {
    const names = peers[place] ?? [];
    return names.length === 1 ? String(names[0]) : `${names[0] ?? ''} and ${names.length - 1} alike`;
  });
  const rest = places.slice(NAMED);
  if (rest.length === 0) return labels.join(', ');
  const count = rest.reduce((sum, place) => sum + (peers[place]?.length ?? 0), 0);
  return `${labels.join(', ')} and ${count} more`;
}
