// Package packaging holds what a host needs beside the binary: a systemd unit that mounts the cgroup controller net_cls at boot, the
// script that it runs, a timer that runs gc, and a setting of sysctl.d(5) for hosts with many tasks. There is nothing to import; the
// tests run the script in mount namespaces of their own.
package packaging
