package session

import (
	"context"
	"fmt"
	"time"
)

// sendUpdates sends the updates that SUBSCRIBE did not carry, oldest first, each after the
// agent accepted the one before, and a HEARTBEAT now and then. It ends with the subscription,
// and ends the subscription when only another SUBSCRIBE can help.
//
// 202 is not an acknowledgement: it moves on to the next update, and the ledger keeps this one.
func (s *Session) sendUpdates(ctx context.Context, sub *subscription) {
	heartbeat := time.NewTicker(s.pace.heartbeat)
	defer heartbeat.Stop()
	accepted := sub.sent
	failures := 0
	var last news
	for ctx.Err() == nil {
		u, ok := s.updateAfter(accepted)
		if !ok {
			select {
			case <-ctx.Done():
			case <-s.updated:
			case <-heartbeat.C:
				s.sendHeartbeat(ctx, sub.link.calls)
			}
			continue
		}
		status, text, err := s.call(ctx, sub.link.calls, s.caller.update(u))
		verdict := callTryAgain
		switch {
		case err == nil:
			failures = 0
			verdict = judgeCall(status, text)
			err = &answerError{status, text}
		case dropped(err):
			if failures++; failures >= s.pace.callFailures {
				sub.end(fmt.Errorf("%w: %w", errCalls, err))
				return
			}
		}
		switch verdict {
		case callAccepted:
			accepted, last = u.number, news{}
		case callTryAgain:
			if ctx.Err() == nil && last.differs(err) {
				s.log.Warn("status update not accepted yet, trying again", "task", u.taskID, "state", u.state, "error", err)
			}
			s.pauseSending(ctx)
		case callResubscribe:
			sub.end(err)
			return
		case callRefused:
			sub.end(&RefusedError{"UPDATE", status, text})
			return
		}
	}
}

func (s *Session) updateAfter(number uint64) (update, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.after(number)
}

// call makes one call and returns the status of the answer and, for any but 202, its text.
func (s *Session) call(ctx context.Context, c *connection, body []byte) (status int, text string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.pace.call)
	defer cancel()
	answer, err := c.post(ctx, body)
	if err != nil {
		return 0, "", cause(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode, answerText(answer.Body), nil
}

// sendHeartbeat keeps the connection for calls in use. Its result changes nothing: the next
// update finds out.
func (s *Session) sendHeartbeat(ctx context.Context, c *connection) {
	status, _, err := s.call(ctx, c, s.caller.heartbeat())
	s.log.Debug("heartbeat", "status", status, "error", err)
}

func (s *Session) pauseSending(ctx context.Context) {
	timer := time.NewTimer(s.pace.retry(s.opts.BackoffMax))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
