/** Every command of `poplin`: its table and where its code is. Parser, help, completion and docs/cli.md come from here. */
import { type Command, command } from './command.ts';
import {
  bgpClearTable,
  bgpDecodeTable,
  bgpNeighborsTable,
  bgpNeighborTable,
  bgpRoutesTable,
} from './tables/bgp.ts';
import { bgpdTable, bgpReloadTable } from './tables/bgpd.ts';
import {
  datastoreCheckTable,
  datastoreMigrateCopyTable,
  datastoreMigrateExportTable,
  datastoreMigrateImportTable,
  datastoreMigrateLockTable,
  datastoreMigrateUnlockTable,
} from './tables/datastore.ts';
import {
  ipamCheckTable,
  ipamConfigureTable,
  ipamExplainTable,
  ipamGcTable,
  ipamReleaseTable,
  ipamShowTable,
  ipamSplitTable,
} from './tables/ipam.ts';
import {
  labDownTable,
  labExecTable,
  labQuickstartTable,
  labStatusTable,
  labTestTable,
  labUpTable,
} from './tables/lab.ts';
import {
  explainPacketTable,
  policyCountersTable,
  policyMatrixTable,
  policyPreviewTable,
} from './tables/policy.ts';
import { nodeInitTable, nodeInstallCniTable, nodeStatusTable } from './tables/node.ts';
import { completionTable, versionTable } from './tables/other.ts';
import { explainRouteTable } from './tables/route.ts';
import { applyTable, createTable, deleteTable, getTable, replaceTable } from './tables/resources.ts';

export const COMMANDS: readonly Command[] = [
  command(getTable, async () => (await import('./actions/get.ts')).get),
  command(applyTable, async () => (await import('./actions/write.ts')).apply),
  command(createTable, async () => (await import('./actions/write.ts')).create),
  command(replaceTable, async () => (await import('./actions/write.ts')).replace),
  command(deleteTable, async () => (await import('./actions/delete.ts')).remove),
  command(nodeInitTable, async () => (await import('./actions/node-init.ts')).nodeInit),
  command(explainPacketTable, async () => (await import('./actions/explain-packet.ts')).explainPacket),
  command(explainRouteTable, async () => (await import('./actions/explain-route.ts')).explainRoute),
  command(policyMatrixTable, async () => (await import('./actions/policy-matrix.ts')).policyMatrix),
  command(policyPreviewTable, async () => (await import('./actions/preview.ts')).policyPreview),
  command(policyCountersTable, async () => (await import('./actions/policy-counters.ts')).policyCounters),
  command(nodeStatusTable, async () => (await import('./actions/node-status.ts')).nodeStatus),
  command(nodeInstallCniTable, async () => (await import('./actions/node-install-cni.ts')).nodeInstallCni),
  command(ipamShowTable, async () => (await import('./actions/ipam-show.ts')).ipamShow),
  command(ipamCheckTable, async () => (await import('./actions/ipam-check.ts')).ipamCheck),
  command(ipamExplainTable, async () => (await import('./actions/ipam-explain.ts')).ipamExplain),
  command(ipamGcTable, async () => (await import('./actions/ipam-gc.ts')).ipamGc),
  command(ipamReleaseTable, async () => (await import('./actions/ipam-release.ts')).ipamRelease),
  command(ipamConfigureTable, async () => (await import('./actions/ipam-configure.ts')).ipamConfigure),
  command(ipamSplitTable, async () => (await import('./actions/ipam-split.ts')).ipamSplit),
  command(datastoreCheckTable, async () => (await import('./actions/datastore-check.ts')).datastoreCheck),
  command(
    datastoreMigrateExportTable,
    async () => (await import('./actions/datastore-migrate.ts')).migrateExport,
  ),
  command(
    datastoreMigrateImportTable,
    async () => (await import('./actions/datastore-migrate.ts')).migrateImport,
  ),
  command(
    datastoreMigrateCopyTable,
    async () => (await import('./actions/datastore-migrate.ts')).migrateCopy,
  ),
  command(datastoreMigrateLockTable, async () => (await import('./actions/datastore-lock.ts')).migrateLock),
  command(
    datastoreMigrateUnlockTable,
    async () => (await import('./actions/datastore-lock.ts')).migrateUnlock,
  ),
  command(bgpNeighborsTable, async () => (await import('./actions/bgp-neighbors.ts')).bgpNeighbors),
  command(bgpNeighborTable, async () => (await import('./actions/bgp-neighbors.ts')).bgpNeighbor),
  command(bgpRoutesTable, async () => (await import('./actions/bgp-routes.ts')).bgpRoutes),
  command(bgpClearTable, async () => (await import('./actions/bgp-clear.ts')).bgpClear),
  command(bgpDecodeTable, async () => (await import('./actions/bgp-decode.ts')).bgpDecode),
  command(bgpReloadTable, async () => (await import('./actions/bgp-reload.ts')).bgpReload),
  command(bgpdTable, async () => (await import('./actions/bgpd.ts')).bgpd),
  command(labUpTable, async () => (await import('./actions/lab.ts')).labUp),
  command(labDownTable, async () => (await import('./actions/lab.ts')).labDown),
  command(labStatusTable, async () => (await import('./actions/lab.ts')).labStatus),
  command(labExecTable, async () => (await import('./actions/lab.ts')).labExec),
  command(labTestTable, async () => (await import('./actions/lab.ts')).labTest),
  command(labQuickstartTable, async () => (await import('./actions/lab.ts')).labQuickstart),
  command(completionTable, async () => (await import('./actions/completion.ts')).completion),
  command(versionTable, async () => (await import('./actions/version.ts')).version),
];
