/**
 * What the CNI specification, 1.1.0, asks of a plugin, and the tests that hold us to it. Section names are the
 * specification's; its sentences are in our own words. `obligations.test.ts` sees that the tests are there.
 */

export interface Obligation {
  readonly section: string;
  readonly must: string;
  /** File, and a part of the test's title. */
  readonly tests: readonly (readonly [file: string, title: string])[];
}

const CNI = 'test/cni/';
const PLUGIN = 'cni-plugin/';

export const OBLIGATIONS: readonly Obligation[] = [
  {
    section: '1: configuration format',
    must: 'a network has a name of letters, digits, "_", "." and "-", beginning with a letter or digit',
    tests: [
      [`${PLUGIN}netconf.test.ts`, 'no name'],
      [`${PLUGIN}netconf.test.ts`, 'a name with a slash'],
    ],
  },
  {
    section: '1: configuration format',
    must: 'keys of others are let pass',
    tests: [
      [`${PLUGIN}netconf.test.ts`, 'reads runtimeConfig whatever the case'],
      [`${CNI}chain.test.ts`, 'stands before portmap, bandwidth and tuning'],
    ],
  },
  {
    section: '2: parameters',
    must: 'variables that a command needs are there and well formed, or it is refused with code 4 and their names',
    tests: [
      [`${PLUGIN}environment.test.ts`, 'answers code 4 and the variable for'],
      [`${CNI}verbs.test.ts`, 'no variable at all'],
      [`${CNI}verbs.test.ts`, 'an interface name that is too long'],
      [`${CNI}verbs.test.ts`, 'a container id with a slash'],
    ],
  },
  {
    section: '2: parameters',
    must: 'unknown keys of CNI_ARGS are no fault',
    tests: [[`${PLUGIN}environment.test.ts`, 'reads a complete ADD']],
  },
  {
    section: '2: errors',
    must: 'a failure is an exit code that is not zero and one JSON document on standard output, in the version of the call',
    tests: [
      [`${CNI}verbs.test.ts`, 'answers the specified code and a sentence, and changes nothing'],
      ['node/cni/server.test.ts', 'answers errors in the version of the call'],
      [`${CNI}launcher.test.ts`, 'says what is wrong when there is no Node program either'],
    ],
  },
  {
    section: '2: errors',
    must: 'code 1 for a version that is not spoken',
    tests: [
      [`${PLUGIN}plugin.test.ts`, 'an unknown version'],
      [`${CNI}verbs.test.ts`, 'a version of tomorrow'],
    ],
  },
  {
    section: '2: errors',
    must: 'code 2 for a field that is not supported, with its name and value',
    tests: [['node/cni/misfit.test.ts', 'a dataplane behind a socket']],
  },
  {
    section: '2: errors',
    must: 'code 6 for what cannot be decoded',
    tests: [
      [`${PLUGIN}netconf.test.ts`, 'answers code 6 to'],
      [`${CNI}verbs.test.ts`, 'a configuration that is not JSON'],
    ],
  },
  {
    section: '2: errors',
    must: 'code 7 for a configuration that is wrong',
    tests: [
      [`${CNI}verbs.test.ts`, 'an MTU that is a word'],
      [`${PLUGIN}netconf.test.ts`, 'by its path'],
    ],
  },
  {
    section: '2: errors',
    must: 'code 11 where the runtime shall try again later',
    tests: [
      [`${CNI}crash.test.ts`, 'says so to ADD, CHECK and STATUS, and owes DEL'],
      [`${CNI}faults.test.ts`, 'says that the disk of the datastore is full'],
      ['node/cni/readiness.test.ts', 'say after half a minute which is closed'],
    ],
  },
  {
    section: 'ADD',
    must: 'makes the interface of that name in that namespace, or changes it when it is one of a chain; answers with interfaces, addresses, routes, DNS',
    tests: [
      [`${CNI}attach.test.ts`, 'gives a pod its addresses, its cable and its endpoint'],
      [`${CNI}wiring.test.ts`, 'carries both families at once'],
      [`${CNI}attach.test.ts`, 'passes on what earlier plugins of the chain made'],
    ],
  },
  {
    section: 'ADD',
    must: 'an interface of that name that is there already is an error',
    tests: [
      [`${CNI}wiring.test.ts`, 'refuses a name that is taken in the namespace, and touches nothing'],
      [`${CNI}attach.test.ts`, 'refuses the same ADD twice, and leaves the first as it is'],
    ],
  },
  {
    section: 'ADD',
    must: 'the result is in the version that was asked in',
    tests: [
      [`${CNI}attach.test.ts`, 'answers in the version that was asked in'],
      [`${PLUGIN}result.test.ts`, 'survives its way out and in again'],
    ],
  },
  {
    section: 'ADD',
    must: 'a container may be attached to a network more than once under different interface names',
    tests: [
      [`${CNI}attach.test.ts`, 'attaches one container twice, and detaches one of the two'],
      [`${CNI}chain.test.ts`, 'as Multus calls'],
    ],
  },
  {
    section: 'ADD',
    must: 'what fails half way leaves nothing behind',
    tests: [
      [`${CNI}wiring.test.ts`, 'leaves nothing behind when a step fails half way'],
      [`${CNI}cut.test.ts`, 'leaves nothing of an ADD, wherever it was cut'],
      [`${CNI}killed.test.ts`, 'whatever it got to say, once the runtime deletes'],
    ],
  },
  {
    section: 'ADD',
    must: 'different containers may be attached at once',
    tests: [
      [`${CNI}attach.test.ts`, 'gives out no address twice to twenty at once'],
      [`${CNI}faults.test.ts`, 'attaches 200 interfaces at once'],
    ],
  },
  {
    section: 'DEL',
    must: 'succeeds where parts are missing, and when it is repeated',
    tests: [
      [`${CNI}attach.test.ts`, 'succeeds with DEL again and again, without namespace, without arguments'],
      [`${CNI}runtimes.test.ts`, 'a pod whose namespace vanished behind its back'],
    ],
  },
  {
    section: 'DEL',
    must: 'frees all that this container and interface hold in this network, and nothing of others',
    tests: [
      [`${CNI}attach.test.ts`, 'takes all of it away again'],
      [`${CNI}attach.test.ts`, 'leaves the new sandbox of a pod alone'],
      [`${CNI}chain.test.ts`, 'DEL of the middle one alone'],
    ],
  },
  {
    section: 'DEL',
    must: 'needs neither CNI_NETNS nor prevResult',
    tests: [
      [`${PLUGIN}environment.test.ts`, 'lets DEL come without a namespace'],
      [`${CNI}chain.test.ts`, 'gives them back without a namespace'],
    ],
  },
  {
    section: 'CHECK',
    must: 'came with 0.4.0, and needs prevResult',
    tests: [
      [`${CNI}verbs.test.ts`, 'CHECK in a version that had none'],
      [`${CNI}verbs.test.ts`, 'CHECK without a previous result'],
    ],
  },
  {
    section: 'CHECK',
    must: 'prints nothing when all is well',
    tests: [[`${CNI}verbs.test.ts`, 'says nothing when all is as ADD left it']],
  },
  {
    section: 'CHECK',
    must: 'tells of an interface, address or route of the result that is missing or wrong',
    tests: [
      [`${CNI}verbs.test.ts`, 'the pod lost its address'],
      [`${CNI}verbs.test.ts`, 'the pod lost its default route'],
      [`${CNI}verbs.test.ts`, 'the pod interface is down'],
      [`${CNI}verbs.test.ts`, 'the pod interface has another MAC'],
      [`${CNI}verbs.test.ts`, 'the host lost its route'],
      [`${CNI}verbs.test.ts`, 'the cable is gone'],
    ],
  },
  {
    section: 'CHECK',
    must: 'tells of other resources that are missing: reservations, firewall, shaping, what the workload depends on',
    tests: [
      [`${CNI}verbs.test.ts`, 'the address is not held any more'],
      [`${CNI}verbs.test.ts`, 'the endpoint is gone from the store'],
      [`${CNI}limits.test.ts`, 'is told by CHECK when somebody takes a limit away'],
      [`${CNI}crash.test.ts`, 'says so to ADD, CHECK and STATUS'],
    ],
  },
  {
    section: 'CHECK',
    must: 'lets pass what later plugins of the chain changed',
    tests: [[`${CNI}chain.test.ts`, 'each finds what it needs, CHECK holds']],
  },
  {
    section: 'CHECK',
    must: 'is passed on to delegated plugins, with their errors',
    tests: [[`${CNI}chain.test.ts`, 'passes every command on to it, with its errors']],
  },
  {
    section: 'STATUS',
    must: 'came with 1.1.0; succeeds when ADD would',
    tests: [[`${CNI}verbs.test.ts`, 'is ready, and says why when it is not']],
  },
  {
    section: 'STATUS',
    must: 'code 50 where no container can be attached, 51 where those that are there may suffer, too',
    tests: [['node/cni/server.test.ts', 'answers STATUS with 51 when workloads that run already suffer']],
  },
  {
    section: 'STATUS',
    must: 'is passed on to delegated plugins, with their errors',
    tests: [[`${CNI}chain.test.ts`, 'passes every command on to it, with its errors']],
  },
  {
    section: 'VERSION',
    must: 'answers with the versions that are spoken, in the version of the question, and needs no variable beside',
    tests: [
      [`${PLUGIN}plugin.test.ts`, 'answers VERSION alone, with the version that was asked in'],
      [`${PLUGIN}environment.test.ts`, 'accepts what podman passes as VERSION'],
    ],
  },
  {
    section: 'GC',
    must: 'came with 1.1.0; frees what is not in the list of valid attachments, by container and interface',
    tests: [
      [`${CNI}verbs.test.ts`, 'GC in a version that had none'],
      [`${CNI}verbs.test.ts`, 'frees what the runtime does not know any more, of this network only'],
    ],
  },
  {
    section: 'GC',
    must: 'an empty list frees all; no list frees nothing',
    tests: [
      [
        `${CNI}verbs.test.ts`,
        'frees nothing when the list is missing, and everything of the network when it is empty',
      ],
      [`${PLUGIN}netconf.test.ts`, 'a missing key is not an empty list'],
    ],
  },
  {
    section: 'GC',
    must: 'touches no other network, whose runtime may be another',
    tests: [[`${CNI}verbs.test.ts`, 'of this network only']],
  },
  {
    section: 'GC',
    must: 'frees what a runtime never deleted',
    tests: [
      [`${CNI}runtimes.test.ts`, 'leaves nothing once GC has been called'],
      [`${CNI}cut.test.ts`, 'leaves nothing of a GC'],
    ],
  },
  {
    section: 'GC',
    must: 'is passed on to delegated plugins, and an error of one keeps back no other',
    tests: [
      [`${CNI}chain.test.ts`, 'passes every command on to it, with its errors'],
      [`${CNI}chain.test.ts`, 'frees its own when the other fails to'],
    ],
  },
  {
    section: '4: delegation',
    must: 'a delegated plugin is found in CNI_PATH and called with the same variables and configuration',
    tests: [
      [`${CNI}chain.test.ts`, 'says where it looked when there is no such plugin'],
      [`${CNI}chain.test.ts`, 'passes every command on to it, with its errors'],
    ],
  },
  {
    section: '4: delegation',
    must: 'when ADD fails after its delegate succeeded, the delegate is told to delete',
    tests: [[`${CNI}chain.test.ts`, 'gives back what it took when a later step fails']],
  },
  {
    section: 'DEL',
    must: 'a lease that cannot be given back is no failure',
    tests: [[`${CNI}dhcp.test.ts`, 'are asked for when the cable is there, and given back before it goes']],
  },
  {
    section: '5: result',
    must: 'interfaces, addresses and routes of plugins before are kept, and indexes point where they did',
    tests: [
      [
        `${PLUGIN}result.test.ts`,
        'keeps what earlier plugins made and points our addresses at our interfaces',
      ],
    ],
  },
  {
    section: 'conventions',
    must: 'capabilities: ips, mac, portMappings, bandwidth, dns, with runtimeConfig before args.cni before CNI_ARGS',
    tests: [
      [`${PLUGIN}netconf.test.ts`, 'lets runtimeConfig win over args.cni, and args.cni over CNI_ARGS'],
      [`${CNI}attach.test.ts`, 'gives the address that is asked for, and refuses it to the next'],
      [`${CNI}limits.test.ts`, 'takes limits from a runtime that tells of them'],
      [`${CNI}runtimes.test.ts`, 'ports are mapped'],
    ],
  },
];
