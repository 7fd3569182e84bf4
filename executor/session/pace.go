package session

import (
	"math/rand/v2"
	"net"
	"time"
)

// pace holds every interval of the session, so that tests can shorten them.
type pace struct {
	retryMin, retryMax time.Duration // pause between two attempts at the same thing
	stable             time.Duration // a stream that lived this long is replaced without a pause
	answer             time.Duration // from the connect of SUBSCRIBE to SUBSCRIBED
	call               time.Duration // any other call
	callFailures       int           // calls without a connection in a row, after which the stream is given up as well
	heartbeat          time.Duration // between two HEARTBEAT calls
	firstSubscription  time.Duration // to the first SUBSCRIBED, if RecoveryTimeout is shorter
	freshAttempt       time.Duration // younger attempts are not abandoned for a nudge
	nudged             time.Duration // the pause that a nudge leaves
	linger             time.Duration // updates go on after SHUTDOWN in place of SUBSCRIBED

	keepAlive net.KeepAliveConfig
	maxFrame  int64 // bytes
}

func normalPace() pace {
	return pace{
		// The agent waits --executor_reregistration_timeout, by default 2 s.
		retryMin: 100 * time.Millisecond,
		retryMax: 500 * time.Millisecond,
		stable:   time.Second,
		answer:   15 * time.Second,
		// Long, because a call that is given up may still be read by an agent that was only
		// slow, and is then there twice.
		call:         30 * time.Second,
		callFailures: 5,
		// As Mesos' own library (src/executor/executor.cpp).
		heartbeat: 30 * time.Minute,
		// The agent's --executor_registration_timeout has the same default.
		firstSubscription: time.Minute,
		freshAttempt:      500 * time.Millisecond,
		nudged:            20 * time.Millisecond,
		linger:            2 * time.Second,
		// First probe after 10 s, then every 5 s, given up after 3 without an answer
		// (tcp(7): TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT). The agent's HEARTBEAT comes every
		// 30 minutes, far too seldom to tell a dead agent by its silence.
		keepAlive: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3},
		maxFrame:  MaxFrame,
	}
}

// retry returns a random pause of the normal length that is not above limit.
func (p pace) retry(limit time.Duration) time.Duration {
	most := min(p.retryMax, limit)
	return between(min(p.retryMin, most/2), most)
}

// pauseAfter says how long to wait before the next attempt to subscribe.
func (p pace) pauseAfter(e ending, limit time.Duration) time.Duration {
	switch {
	case e.nudged:
		return min(p.nudged, limit)
	case e.up && !e.rejected && e.lived >= p.stable:
		return 0
	case e.rejected: // the agent may well send the same again
		return between(limit/2, limit)
	default:
		return p.retry(limit)
	}
}

func between(low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return low + rand.N(high-low+1)
}
