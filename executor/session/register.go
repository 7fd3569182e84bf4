package session

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// ErrRegistered says that the run already has a libprocess.pid, which was left alone.
var ErrRegistered = errors.New("the run is already registered for recovery")

// processID is our name in the address that the agent stores: Mesos' own driver calls its
// first process so too.
const processID = "executor(1)"

const reconnectPath = "/" + processID + "/mesos.internal.ReconnectExecutorMessage"

const (
	maxReconnect   = 64 << 10         // bytes; the real message has about 300
	maxConnections = 16               // at once; the agent needs one
	requestTime    = 10 * time.Second // for one request, from accept to its end
	quiet          = time.Second      // at least, between two log lines about messages
)

// RegisterOptions say for which run to register.
type RegisterOptions struct {
	// SandboxPath is the run's sandbox on the host, symlinks resolved:
	// <work_dir>/slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/<container>.
	SandboxPath string
	// AgentID (MESOS_SLAVE_ID) is the agent whose messages count. Empty: not checked.
	AgentID string
	// OnReconnect is called for each message by which a restarted agent asks its executors to
	// come back. It must not block; [Session.Nudge] is made for it.
	OnReconnect func()
	// Log may be nil.
	Log *slog.Logger
}

// Registration makes a restarted agent recover a run of the Docker containerizer. That
// containerizer recovers only runs with a libprocess address among their checkpoints
// (DockerContainerizerProcess::_recover in src/slave/containerizer/docker.cpp), which only
// executors of the old driver have; all others it reports as lost, and it kills their containers.
//
// So a listener on the loopback address stands in for such an executor. A restarted agent
// opens a connection to it to see that the executor lives, then posts a
// ReconnectExecutorMessage to it and expects the executor within
// --executor_reregistration_timeout. The executor subscribes over HTTP as before, which the
// agent accepts, and which it records beside the address, not instead of it: any number of
// restarts is survived.
//
// The listener serves whoever can connect to it: anything but the message with the id of our
// agent is refused, and the message does no more than to call OnReconnect. The id is no secret, so
// OnReconnect has to bear being called by anybody on this host at any time.
type Registration struct {
	log       *slog.Logger
	agentID   string
	server    *http.Server
	served    chan struct{} // closed when Serve has returned
	reconnect func()

	mu     sync.Mutex // held while reconnect runs
	closed bool       // guarded by mu
	logged time.Time  // guarded by mu: the last message that was logged
}

// Register opens the listener and writes its address into the run's checkpoints. It makes
// sense only for a framework that checkpoints: without, the agent keeps no checkpoints of the run and Register says
// so. Errors: [ErrRegistered]; otherwise the executor works all the same, but will not survive
// a restart of the agent.
func Register(opts RegisterOptions) (*Registration, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open the reconnect listener: %w", err)
	}
	if err := checkpointPID(opts.SandboxPath, processID+"@"+listener.Addr().String()); err != nil {
		listener.Close()
		return nil, fmt.Errorf("register the run for recovery: %w", err)
	}
	r := &Registration{log: opts.Log, agentID: opts.AgentID, served: make(chan struct{}), reconnect: opts.OnReconnect}
	r.server = &http.Server{
		Handler:        http.HandlerFunc(r.answer),
		ReadTimeout:    requestTime,
		WriteTimeout:   requestTime,
		IdleTimeout:    requestTime,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(opts.Log.Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(r.served)
		if err := r.server.Serve(limit(listener, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
			r.log.Error("the reconnect listener failed: the task will not survive a restart of the agent", "error", err)
		}
	}()
	r.log.Info("registered for recovery by a restarted agent", "address", listener.Addr().String())
	return r, nil
}

func (r *Registration) answer(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost || req.URL.Path != reconnectPath {
		http.NotFound(w, req)
		return
	}
	message, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxReconnect))
	if err != nil {
		http.Error(w, "unreadable message", http.StatusBadRequest)
		return
	}
	if from := reconnectAgent(message); r.agentID != "" && from != r.agentID {
		r.log.Debug("reconnect message of another agent refused", "agent", printable(from))
		http.Error(w, "not the agent of this executor", http.StatusForbidden)
		return
	}
	r.nudge()
	w.WriteHeader(http.StatusAccepted)
}

func (r *Registration) nudge() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	if now := time.Now(); r.logged.IsZero() || now.Sub(r.logged) >= quiet {
		r.logged = now
		r.log.Info("the agent asks its executors to reconnect")
	}
	if r.reconnect != nil {
		r.reconnect()
	}
}

// reconnectAgent reads slave_id.value, both field 1, of a ReconnectExecutorMessage
// (src/messages/messages.proto). Empty when there is none.
func reconnectAgent(message []byte) string {
	id, _ := cutMessage(message, reconnectSlaveID)
	value, _ := cutMessage(id, idValue)
	return string(value)
}

// Close ends the listener; OnReconnect is not called any more when it returns. The address
// stays in the checkpoints on purpose: to an agent that comes back after the executor's end, a
// refused connection is the truth, that the executor is gone, and it reports the task
// accordingly. Without the file it would not know the container at all and report that.
func (r *Registration) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	err := r.server.Close()
	<-r.served
	return err
}

// limit bounds the connections that are open at once. Further ones wait in the kernel's
// queue, where the agent's probe already counts as connected.
func limit(l net.Listener, most int) net.Listener {
	done := make(chan struct{})
	return &limitedListener{
		Listener: l,
		slots:    make(chan struct{}, most),
		done:     done,
		close:    sync.OnceFunc(func() { close(done) }),
	}
}

type limitedListener struct {
	net.Listener
	slots chan struct{}
	done  <-chan struct{}
	close func()
}

func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: conn, free: sync.OnceFunc(func() { <-l.slots })}, nil
}

func (l *limitedListener) Close() error {
	l.close()
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	free func()
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.free()
	return err
}
