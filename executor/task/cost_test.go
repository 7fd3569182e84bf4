package task

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// recordedSpec is what the policy gets to see of the task that was recorded in drop-in mode.
func recordedSpec(t testing.TB) (security.Spec, security.Grants) {
	t.Helper()
	raw, _ := launchedTask(t, "drop-in")
	spec, granted, err := Translated(raw, testInputs())
	if err != nil {
		t.Fatal(err)
	}
	return spec, granted
}

// TestReviewIsCheap: allocations tell what time alone would not on a busy machine. They are some 200; the bound is that of the
// bench, and leaves room for the race detector's own.
func TestReviewIsCheap(t *testing.T) {
	spec, granted := recordedSpec(t)
	policy := security.BuiltIn()
	if d := policy.Review(spec, granted); d.Rejected() {
		t.Fatal(d.Rejections())
	}
	const most = 300
	if n := testing.AllocsPerRun(20, func() { policy.Review(spec, granted) }); n > most {
		t.Errorf("%v allocations, at most %d are wanted", n, most)
	}
}

// TestTranslatedIsWhatThePolicyGets: a review of it is that of Decide.
func TestTranslatedIsWhatThePolicyGets(t *testing.T) {
	raw, _ := launchedTask(t, "drop-in")
	spec, granted := recordedSpec(t)
	d, policy := Decide(raw, testInputs(), security.BuiltIn()), security.BuiltIn()
	if diff := cmp.Diff(d.Plan.Spec, policy.Review(spec, granted).Spec); diff != "" {
		t.Error(diff)
	}
	for _, broken := range [][]byte{{0xff}, marshal(t, mesos.TaskInfo{})} {
		if _, _, err := Translated(broken, testInputs()); err == nil {
			t.Errorf("%x was translated", broken)
		}
	}
}

// BenchmarkReview is the policy's part of a decision alone.
func BenchmarkReview(b *testing.B) {
	spec, granted := recordedSpec(b)
	policy := security.BuiltIn()
	b.ReportAllocs()
	for b.Loop() {
		policy.Review(spec, granted)
	}
}

// BenchmarkDecide is all that is decided before the pull: decoding, translation, review.
func BenchmarkDecide(b *testing.B) {
	raw, _ := launchedTask(b, "drop-in")
	in, policy := testInputs(), security.BuiltIn()
	b.ReportAllocs()
	for b.Loop() {
		Decide(raw, in, policy)
	}
}
