// Package packaging holds what a host needs beside the binary: a systemd unit that mounts the cgroup controller net_cls at boot,
// and the script that it runs. There is nothing to import; the tests run the script in mount namespaces of their own.
package packaging
