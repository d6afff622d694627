#!/bin/sh
# Stands in for a container's first process (PID 1) in one lab node: hides the machine's folders behind the
# node's own, then keeps the node's program running. It is started inside the node's network, mount and host
# name namespaces, and whoever wants to enter those does so through this process.
#
# It comes on standard input, and finds what to do in files and not among its arguments: so `ps` shows it as
# `/bin/sh -s NODE`, and somebody who kills every process that names our programs leaves alone the one who
# starts them again.
#
# usage: INIT_FOLDER=FOLDER /bin/sh -s NODE <init.sh
#   FOLDER/mounts   one bind per line: ro|rw, source, target, separated by tabs; mounts.done appears when all
#                   are in place
#   FOLDER/command  the program and its arguments, quoted for the shell; empty for none
set -eu
name=$1 mounts=$INIT_FOLDER/mounts
eval "set -- $(cat "$INIT_FOLDER/command")"
unset INIT_FOLDER

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
  "$@" </dev/null &
  child=$!
  await_child
  [ -z "$stopping" ] || break
  # At once after a first death; slower and slower when it does not come up.
  if [ $(($(date +%s) - began)) -ge 2 ]; then delay=0; fi
  echo "init: $1 ended; starting it again in $delay s" >&2
  [ "$delay" -eq 0 ] || rest "$delay"
  delay=$((delay == 0 ? 1 : delay < 8 ? delay * 2 : 8))
done
