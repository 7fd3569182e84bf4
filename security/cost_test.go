package security

import "testing"

// BenchmarkReview reviews a small task. What a recorded one costs is in package task.
func BenchmarkReview(b *testing.B) {
	spec, policy := goodSpec(), BuiltIn()
	b.ReportAllocs()
	for b.Loop() {
		policy.Review(spec, testRoots)
	}
}
