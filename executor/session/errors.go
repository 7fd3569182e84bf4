package session

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Reasons of [Lost] that are not a refusal by the agent.
var (
	// ErrRecoveryTimeout: no subscription within [Options.RecoveryTimeout] of the loss of the
	// connection, or none at all within the time for the first one (a
	// minute, or RecoveryTimeout if that is longer and the framework checkpoints).
	ErrRecoveryTimeout = errors.New("no agent to subscribe to")
	// ErrConnectionLost: the connection broke and the framework does not checkpoint.
	ErrConnectionLost = errors.New("connection to the agent lost and the framework does not checkpoint")
	// ErrUnusableEvent: the agent sent an event that cannot be used and that it would only repeat.
	ErrUnusableEvent = errors.New("unusable event from the agent")
)

// RefusedError is an answer of the agent that no repetition changes.
type RefusedError struct {
	Call   string // SUBSCRIBE or UPDATE
	Status int    // HTTP status
	Text   string // the agent's own words, shortened
}

func (e *RefusedError) Error() string {
	text := fmt.Sprintf("the agent refused %s with %d %s", e.Call, e.Status, http.StatusText(e.Status))
	if e.Text != "" {
		text += ": " + e.Text
	}
	return text + "; " + e.remedy()
}

func (e *RefusedError) remedy() string {
	switch {
	case e.Status == http.StatusBadRequest && strings.Contains(e.Text, "cannot be found"):
		return "it no longer knows this executor, whose task it has already given up"
	case e.Status == http.StatusForbidden:
		return "the executor's token belongs to another run, or the path is not the agent's"
	case e.Status >= 300 && e.Status < 400:
		return "agents do not redirect executors: check the agent's endpoint"
	default:
		return "check that the endpoint is a Mesos agent's and that its version speaks the v1 executor API"
	}
}
