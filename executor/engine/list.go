package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/docker/docker/client"
)

// Listed is a container in a list.
type Listed struct {
	ID     string            // 64 hex digits
	Names  []string          // without the leading "/"
	Labels map[string]string // all of them
	State  string            // "created" "running" "paused" "restarting" "removing" "exited" "dead"
}

// List returns the containers, in whatever state, that carry a label, "key" or "key=value". The daemon answers without waiting for any
// container, a wedged one among them. An answer that is broken in any part is an error as a whole: whoever cleans up by it must
// not take a container for gone, nor touch one that does not carry the label.
func (e *Engine) List(ctx context.Context, label string) ([]Listed, error) {
	var found []Listed
	kind := call{name: "list", limit: e.limits.List, accept: []int{http.StatusOK}}
	err := e.do(ctx, kind, func(ctx context.Context) error {
		p, err := e.docker()
		if err != nil {
			return err
		}
		if key, _, _ := strings.Cut(label, "="); key == "" {
			return fmt.Errorf("label %q has no key", label)
		}
		filters, err := json.Marshal(map[string]map[string]bool{"label": {label: true}})
		if err != nil {
			return err
		}
		query := url.Values{"all": {"1"}, "filters": {string(filters)}}
		// Not with the Docker client, for the reason given at info.
		request, err := http.NewRequestWithContext(ctx, http.MethodGet,
			"http://"+client.DummyHost+"/v"+p.version+"/containers/json?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		answer, err := e.guard.RoundTrip(request)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		found, err = listOf(text, label)
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// listOf checks an answer: an empty list is "[]", and nothing else.
func listOf(answer []byte, label string) ([]Listed, error) {
	var all []Listed
	if err := json.Unmarshal(answer, &all); err != nil {
		return nil, fmt.Errorf("the answer is no list: %w", err)
	}
	if all == nil {
		return nil, errors.New("the answer is no list but null")
	}
	key, value, exact := strings.Cut(label, "=")
	for _, one := range all {
		has, carries := one.Labels[key]
		switch {
		case !isFullID(one.ID):
			return nil, fmt.Errorf("the answer has an entry with the ID %q", shorten(one.ID))
		case one.State == "":
			return nil, fmt.Errorf("the answer lacks the state of %s", one.ID)
		case !carries || exact && has != value:
			return nil, fmt.Errorf("the answer has %s, which does not carry the label %s", one.ID, label)
		}
		for i, name := range one.Names {
			one.Names[i] = strings.TrimPrefix(name, "/")
		}
	}
	return all, nil
}
