package engine

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestOnlyACallThatReachedNobodyIsUnsent(t *testing.T) {
	f := startFake(t, reacting(map[string]reaction{"json": {text: jsonAnswer(404, `{"message":"No such container: x"}`)}}))
	e := openFake(t, f, fakeLimits(10*time.Second))
	if _, err := e.Inspect(t.Context(), someID); err == nil || Unsent(err) {
		t.Errorf("an answer: %v", err)
	}
	if _, err := e.Inspect(t.Context(), "../images"); err == nil || Unsent(err) {
		t.Errorf("a wrong name: %v", err)
	}
	if err := os.Remove(strings.TrimPrefix(f.host, "unix://")); err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context(), someID); !Unsent(err) || OutcomeOf(err) != Refused {
		t.Errorf("nobody there: %v", err)
	}
	if Unsent(nil) {
		t.Error("no error at all")
	}
}
