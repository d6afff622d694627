#!/bin/sh
# PID 1 of a user-mode kernel: makes the machine, runs one command, says how it ended, and powers off. The root is the
# host's own file system; what is written under /tmp, /run and /lib/modules stays in here.
#
# The command is in the kernel's command line, as the path of a script: poplin.run=PATH
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
# The mount point is the one thing that the host keeps.
mkdir -p /lib/modules
mount -t tmpfs tmpfs /lib/modules
release=$(uname -r)
mkdir "/lib/modules/$release"
cp -rs "/usr/lib/uml/modules/$release/." "/lib/modules/$release"
depmod "$release"
mkdir -p /run/netns /run/lock
ip link set lo up
hostname poplin-uml
# What is asked for under other names than its own; the rest the kernel finds itself.
for module in ipv6 ipip vxlan ip_set_hash_net ip_set_hash_ip ip_set_hash_ipport xt_set xt_rpfilter ipt_rpfilter ip6t_rpfilter; do
  modprobe -q "$module"
done
run=$(sed -n 's/.*poplin\.run=\([^ ]*\).*/\1/p' /proc/cmdline)
sh "$run"
echo "POPLIN-UML-ENDED $?"
poweroff -f
