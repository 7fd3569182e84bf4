package session

import (
	"net/http"
	"strings"
)

// verdict is what an HTTP answer means for the call that it answers.
type verdict int

const (
	callAccepted    verdict = iota
	callTryAgain            // the agent cannot take this call yet
	callResubscribe         // the agent wants a new SUBSCRIBE first, or will say there why not
	callRefused             // no repetition changes it
)

// judgeSubscribe reads the status of the answer to SUBSCRIBE, judgeCall that of any other
// call, in the order in which Http::executor (src/slave/http.cpp) can give them: 503 until the
// agent has recovered, 404 before its routes are set up, 401 while it wants another token than
// ours, which a restart with other flags can change.
func judgeSubscribe(status int) verdict {
	switch {
	case status == http.StatusOK:
		return callAccepted
	case status == http.StatusNotFound, status == http.StatusUnauthorized, temporary(status):
		return callTryAgain
	default:
		return callRefused
	}
}

func judgeCall(status int, text string) verdict {
	switch {
	case status == http.StatusAccepted || status == http.StatusOK:
		return callAccepted
	case status == http.StatusNotFound, temporary(status):
		return callTryAgain
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return callResubscribe
	case status == http.StatusBadRequest && strings.Contains(text, "cannot be found"):
		return callResubscribe
	default:
		return callRefused
	}
}

func temporary(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests ||
		status >= 500 && status != http.StatusNotImplemented
}
