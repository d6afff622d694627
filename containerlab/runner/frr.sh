#!/bin/bash
# Starts FRR as its own container image does: watchfrr in the foreground, which starts the daemons named in
# /etc/frr/daemons, gives them frr.conf, and restarts those that die. (FRR's library of shell functions is bash.)
# shellcheck disable=SC1091
log_success_msg() { :; }
log_warning_msg() { echo "$@" >&2; }
log_failure_msg() { echo "$@" >&2; }
. /usr/lib/frr/frrcommon.sh
daemon_list enabled_daemons disabled_daemons
# shellcheck disable=SC2086,SC2154
exec /usr/lib/frr/watchfrr -F "${frr_profile:-traditional}" $enabled_daemons
