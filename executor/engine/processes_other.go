//go:build !linux

package engine

import "net"

// An engine runs on Linux only: elsewhere nothing is known of its processes.
type processTable struct{}

func peer(net.Conn) int { return 0 }

func processes() processTable { return processTable{} }

func (p Process) again() Process { return p }

func (processTable) dockerd(int, string) Process { return Process{Name: "dockerd"} }

func (processTable) containerd(int) Process { return Process{Name: "containerd"} }

func (processTable) shim(string) Process { return Process{Name: "containerd-shim"} }

func alone(int) Process { return Process{} }

func childOf(_ int, name string) Process { return Process{Name: name} }
