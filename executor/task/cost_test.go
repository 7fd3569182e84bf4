package task

import (
	"testing"

	"mesos-docker-executor/security"
)

// recordedSpec is what the policy gets to see of the task that was recorded in drop-in mode.
func recordedSpec(t testing.TB) (security.Spec, security.Grants) {
	raw, _ := launchedTask(t, "drop-in")
	in := testInputs()
	tr := translation{in: in, spec: security.Spec{Origins: security.Origins{}}}
	if err := decode(raw, &tr.task); err != nil {
		t.Fatal(err)
	}
	tr.translate()
	if len(tr.findings) > 0 {
		t.Fatal(tr.findings)
	}
	return tr.spec, security.Grants{Roots: []string{in.SandboxSource}, Binds: tr.granted}
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
