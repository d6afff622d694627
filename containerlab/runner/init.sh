#!/bin/sh
# Stands in for a container's first process (PID 1) in one lab node: hides the machine's folders behind the
# node's own, then keeps the node's program running. It is started inside the node's network, mount and host
# name namespaces, and whoever wants to enter those does so through this process.
#
# usage: init.sh NODE MOUNTS [PROGRAM [ARGUMENT...]]
#   MOUNTS  a file; one bind per line: ro|rw, source, target, separated by tabs. MOUNTS.done appears when all
#           are in place.
set -eu
name=$1 mounts=$2
shift 2

printf '%s' "$name" >/proc/sys/kernel/hostname
# /sys shows the network of the process that mounted it.
mount -t sysfs "$name" /sys 2>/dev/null || true
tab=$(printf '\t')
while IFS=$tab read -r mode source target; do
  mount --bind "$source" "$target"
  [ "$mode" = rw ] || mount -o remount,bind,ro "$target"
done <"$mounts"
: >"$mounts.done"

child='' stopping=''
trap 'stopping=yes; [ -z "$child" ] || kill "$child" 2>/dev/null || true' TERM INT HUP

# Waits for the child to end; a signal interrupts `wait`, so ask again until the child is gone.
await_child() {
  while kill -0 "$child" 2>/dev/null; do wait "$child" || true; done
  child=''
}
rest() {
  sleep "$1" &
  child=$!
  await_child
}

if [ $# -eq 0 ]; then
  while [ -z "$stopping" ]; do rest 86400; done
fi

delay=0
while [ -z "$stopping" ]; do
  began=$(date +%s)
  "$@" &
  child=$!
  await_child
  [ -z "$stopping" ] || break
  # At once after a first death; slower and slower when it does not stay up.
  if [ $(($(date +%s) - began)) -ge 10 ]; then delay=0; fi
  echo "init: $1 ended; starting it again in $delay s" >&2
  [ "$delay" -eq 0 ] || rest "$delay"
  delay=$((delay == 0 ? 1 : delay < 8 ? delay * 2 : 8))
done
