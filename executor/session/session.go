package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// Options say who talks to which agent. URL, FrameworkID, ExecutorID and
// BackoffMax are required.
type Options struct {
	// URL of the agent's executor endpoint: http://ip:port/api/v1/executor, or, over a domain
	// socket, http://agent/slave(1)/api/v1/executor with the id of MESOS_SLAVE_PID, the only
	// path that agents accept there.
	URL string
	// DomainSocket is the path of the agent's unix socket (MESOS_DOMAIN_SOCKET); the host of URL is
	// then not looked up. Empty: TCP.
	DomainSocket string
	// Secure makes a TCP connection a TLS one, or closes it and says why not. It is required when
	// URL begins with https, and not used otherwise. It must not block beyond its context.
	Secure func(ctx context.Context, conn net.Conn) (net.Conn, error)
	// Token is sent as the bearer token (MESOS_EXECUTOR_AUTHENTICATION_TOKEN). Empty: none.
	Token string

	FrameworkID string
	ExecutorID  string
	// AgentID (MESOS_SLAVE_ID) is compared with the id in SUBSCRIBED; a difference is logged. Empty:
	// not compared. It is not part of updates.
	AgentID string
	// ContainerID stands in for the one that an agent may leave out of SUBSCRIBED.
	ContainerID string

	// Checkpoint is MESOS_CHECKPOINT: whether task and executor may outlive the agent.
	Checkpoint bool
	// RecoveryTimeout (MESOS_RECOVERY_TIMEOUT) is how long a checkpointing executor waits for
	// its agent to come back, >= 0; with 0 a lost connection is [Lost] at once. The first
	// subscription gets a minute even if this is shorter.
	RecoveryTimeout time.Duration
	// BackoffMax (MESOS_SUBSCRIPTION_BACKOFF_MAX) bounds the pause between two attempts to
	// subscribe, above 0, required. Pauses are 100 to 500 ms and shorter if this is.
	BackoffMax time.Duration

	// Log receives what the operator should know. Nil: nothing.
	Log *slog.Logger
}

func (o Options) check() error {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return fmt.Errorf("agent URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("agent URL %q: want http://ip:port/path", o.URL)
	case u.Scheme == "https" && (o.Secure == nil || o.DomainSocket != ""):
		return fmt.Errorf("agent URL %q: https is for TCP, and needs the settings of TLS", o.URL)
	case o.FrameworkID == "" || o.ExecutorID == "":
		return errors.New("framework id and executor id are required")
	case o.RecoveryTimeout < 0:
		return fmt.Errorf("recovery timeout %s is negative", o.RecoveryTimeout)
	case o.BackoffMax <= 0:
		return fmt.Errorf("longest pause between subscriptions %s: want more than 0", o.BackoffMax)
	}
	return nil
}

// Session is the conversation with one agent. See the package comment for its rules.
type Session struct {
	opts   Options
	log    *slog.Logger
	pace   pace
	dial   dialer
	caller caller
	queue  *mailbox

	nudged  chan struct{} // capacity 1: subscribe again
	updated chan struct{} // capacity 1: the ledger has a new update
	running atomic.Bool

	mu     sync.Mutex
	ledger ledger // guarded by mu
	lost   bool   // guarded by mu: Lost has been delivered

	// Used by the goroutine of Run only.
	subscriptions int
	shutdown      bool // Shutdown has been delivered
}

// New prepares a session; nothing is sent before [Session.Run].
func New(opts Options) *Session {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	pace := normalPace()
	dial := dialTCP(pace.keepAlive)
	if opts.DomainSocket != "" {
		dial = dialSocket(opts.DomainSocket)
	}
	return &Session{
		opts:    opts,
		log:     opts.Log,
		pace:    pace,
		dial:    dial,
		caller:  caller{executorID: opts.ExecutorID, frameworkID: opts.FrameworkID},
		queue:   newMailbox(),
		nudged:  make(chan struct{}, 1),
		updated: make(chan struct{}, 1),
	}
}

// Events returns the channel of events. It is closed when Run has returned.
func (s *Session) Events() <-chan Event { return s.queue.out }

// Nudge asks for a subscription at once: the agent is known to have come back. It is ignored while
// there is a subscription: a restarted agent has broken the old stream, for it is on this host,
// and whoever can reach the reconnect listener must not be able to break a good one. Otherwise it
// ends a pause (after 20 ms, however many nudges come) or replaces an attempt that hangs.
func (s *Session) Nudge() { signal(s.nudged) }

// Update stores a status and has it sent after those before it. UUID, source and executor id
// are set here whatever they were, the timestamp if there is none. An agent id is taken out: the
// agent fills in its own, and drops an update with another without a word. The status is encoded
// before Update returns and may be changed afterwards. One that no agent would take
// (no state, TASK_STAGING) is logged as the programming error that it is, and dropped.
func (s *Session) Update(status mesos.TaskStatus) {
	u, err := s.encode(status)
	if err != nil {
		s.log.Error("status update dropped: it cannot be sent", "task", status.TaskID.Value, "state", status.GetState(), "error", err)
		return
	}
	s.mu.Lock()
	s.ledger.add(u)
	s.mu.Unlock()
	signal(s.updated)
}

func (s *Session) encode(status mesos.TaskStatus) (update, error) {
	if status.State == nil || *status.State == mesos.TASK_STAGING {
		return update{}, errors.New("an executor has to report a state, and not TASK_STAGING")
	}
	id, err := newUUID()
	if err != nil {
		return update{}, err
	}
	status.UUID = id[:]
	status.Source = mesos.SOURCE_EXECUTOR.Enum()
	status.ExecutorID = &mesos.ExecutorID{Value: s.opts.ExecutorID}
	status.AgentID = nil
	if status.Timestamp == nil {
		now := float64(time.Now().UnixNano()) / 1e9
		status.Timestamp = &now
	}
	encoded, err := status.Marshal()
	if err != nil {
		return update{}, err
	}
	return update{id: id, taskID: status.TaskID.Value, state: *status.State, status: encoded}, nil
}

// lose delivers Lost, once.
func (s *Session) lose(err error) {
	s.mu.Lock()
	first := !s.lost
	s.lost = true
	s.mu.Unlock()
	if first {
		s.log.Error("no agent for this task any more", "error", err)
		s.queue.push(Lost{Err: err})
	}
}
