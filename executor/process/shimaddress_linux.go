package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// shimAddress is where a shim listens and which version of the task service it has there.
type shimAddress struct {
	socket  string // "unix:///path", or the name of an abstract socket
	version int    // of the service containerd.task.v<version>.Task: 2 or 3
}

// readShimAddress reads the address from the container's bundle, which is the shim's working folder, or else from
// the bundle's usual place below the state folder of the shim's containerd. A bundle is there until the
// container is deleted, and the address never changes: read it while the container runs.
func readShimAddress(pid int, dockerID string) (shimAddress, error) {
	var errs []error
	for _, bundle := range bundles(pid, dockerID) {
		address, err := readBundle(bundle)
		if err == nil {
			return address, nil
		}
		errs = append(errs, err)
	}
	return shimAddress{}, fmt.Errorf("no address of the shim, process %d: %w", pid, errors.Join(errs...))
}

// bundles lists where the container's bundle may be. dockerd's own containerd keeps its state beside its socket in the
// folder daemon; a containerd of the host keeps it beside the socket itself.
func bundles(pid int, dockerID string) []string {
	dirs := []string{procFile(pid, "cwd")}
	socket, ok := shimFlag(pid, "address")
	namespace, named := shimFlag(pid, "namespace")
	if !ok || !named {
		return dirs
	}
	below := filepath.Join("io.containerd.runtime.v2.task", namespace, dockerID)
	state := filepath.Dir(strings.TrimPrefix(socket, "unix://"))
	return append(dirs, filepath.Join(state, "daemon", below), filepath.Join(state, below))
}

// readBundle reads bootstrap.json, which containerd 2 writes (core/runtime/v2/shim.go), or else the
// file address of containerd 1, whose service is of version 2.
func readBundle(dir string) (shimAddress, error) {
	name := filepath.Join(dir, "bootstrap.json")
	text, err := os.ReadFile(name)
	if err == nil {
		a, err := parseBootstrap(text)
		if err != nil {
			return a, fmt.Errorf("%s: %w", name, err)
		}
		return a, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return shimAddress{}, err
	}
	if text, err = os.ReadFile(filepath.Join(dir, "address")); err != nil {
		return shimAddress{}, err
	}
	a := shimAddress{socket: strings.TrimSpace(string(text)), version: 2}
	if a.socket == "" {
		return a, fmt.Errorf("%s is empty", filepath.Join(dir, "address"))
	}
	return a, nil
}

func parseBootstrap(text []byte) (shimAddress, error) {
	var params struct {
		Version  int    `json:"version"`
		Address  string `json:"address"`
		Protocol string `json:"protocol"`
	}
	if err := json.Unmarshal(text, &params); err != nil {
		return shimAddress{}, err
	}
	switch {
	case params.Protocol != "ttrpc":
		return shimAddress{}, fmt.Errorf("the shim speaks %q, and only ttrpc is understood", params.Protocol)
	case params.Version != 2 && params.Version != 3:
		return shimAddress{}, fmt.Errorf("the shim has version %d of the task service, and only 2 and 3 are understood", params.Version)
	case params.Address == "":
		return shimAddress{}, errors.New("no address")
	}
	return shimAddress{socket: params.Address, version: params.Version}, nil
}

// shimDialLimit is for connecting and for sending the question, which a stopped shim takes as well: the
// kernel keeps it.
const shimDialLimit = time.Second

// dial connects. An address without unix:// is the name of an abstract socket, and so is one with it before
// containerd 1.4 (runtime/v2/shim/util_unix.go of each).
func (a shimAddress) dial(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{Timeout: shimDialLimit}
	path, named := strings.CutPrefix(a.socket, "unix://")
	var missing error
	if named {
		conn, err := dialer.DialContext(ctx, "unix", path)
		if !errors.Is(err, fs.ErrNotExist) {
			return conn, err
		}
		missing = err
	}
	conn, err := dialer.DialContext(ctx, "unix", "@"+strings.TrimPrefix(path, "@"))
	if err != nil && missing != nil {
		return nil, missing
	}
	return conn, err
}

// wait calls Wait of the task service: it answers when the container's init process has exited.
// WaitRequest has the container's id in field 1; WaitResponse the exit status in field 1, left out when it
// is 0, and its time in field 2, which is never left out (containerd, api/runtime/task/v2/shim.proto and v3): so an
// empty answer is none, least of all a 0.
func (a shimAddress) wait(ctx context.Context, dockerID string) (code uint64, err error) {
	conn, err := a.dial(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	request := protowire.AppendTag(nil, 1, protowire.BytesType)
	request = protowire.AppendString(request, dockerID)
	service := fmt.Sprintf("containerd.task.v%d.Task", a.version)
	if err := conn.SetWriteDeadline(time.Now().Add(shimDialLimit)); err != nil {
		return 0, err
	}
	answer, err := callTTRPC(conn, service, "Wait", request)
	if err != nil {
		return 0, err
	}
	timed := false
	err = eachField(answer, func(number protowire.Number, value uint64, _ []byte) {
		switch number {
		case 1:
			code = value
		case 2:
			timed = true
		}
	})
	if err == nil && !timed {
		err = fmt.Errorf("%w to Wait: it has no time of an exit", errTTRPC)
	}
	return code, err
}
