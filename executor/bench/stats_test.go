//go:build linux

package main

import (
	"math"
	"testing"
)

func TestMedianIsTheMiddle(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 1, 2, 3}, 2.5},
	} {
		given := append([]float64(nil), test.values...)
		if got := median(given); got != test.want {
			t.Errorf("median(%v) = %v, want %v", test.values, got, test.want)
		}
		for i := range given {
			if given[i] != test.values[i] {
				t.Fatalf("the argument was reordered: %v", given)
			}
		}
	}
}

func TestPercentileIsAValueOfThem(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for _, test := range []struct {
		values  []float64
		p       int
		percent float64
	}{
		{hundred, 0, 1}, {hundred, 95, 95}, {hundred, 100, 100},
		{[]float64{3, 1, 2}, 0, 1}, {[]float64{3, 1, 2}, 95, 3}, {[]float64{7}, 95, 7}, {nil, 95, 0},
	} {
		if got := percentile(test.values, test.p); got != test.percent {
			t.Errorf("%d of %d values: %v, want %v", test.p, len(test.values), got, test.percent)
		}
	}
	if got := spread([]float64{12.5, 20}); got != "least 12.5, 95th percentile 20 ms" {
		t.Error(got)
	}
}

func TestRatioOfMedians(t *testing.T) {
	a, b := []float64{20, 22, 21, 23, 200}, []float64{10, 11, 10, 12, 11}
	e := ratioOf(singly(a), singly(b))
	if want := 2.0; e.value != want || e.samples != 5 {
		t.Errorf("%+v, want %v of 5", e, want)
	}
	if e.low > e.value || e.high < e.value {
		t.Errorf("the interval %v..%v does not hold %v", e.low, e.high, e.value)
	}
}

func TestDifferenceOfMedians(t *testing.T) {
	e := differenceOf([]float64{6, 7, 6.5, 60, 6}, []float64{5, 5.5, 5, 5, 50})
	if want := 1.5; e.value != want || e.samples != 5 || e.low > want || e.high < want {
		t.Errorf("%+v, want %v of 5", e, want)
	}
}

func TestIntervalIsTheSameEachTime(t *testing.T) {
	values := []float64{5, 3, 8, 1, 9, 2}
	if a, b := medianOf(values), medianOf(values); a != b {
		t.Errorf("%+v and %+v", a, b)
	}
}

// A known case: the distribution-free 95 % interval of the median of 0..99 lies between the values of rank 40 and 61.
func TestIntervalOfTheMedianIsAsWideAsTheoryHasIt(t *testing.T) {
	values := make([]float64, 100)
	for i := range values {
		values[i] = float64(i)
	}
	e := medianOf(values)
	if math.Abs(e.low-39.5) > 2 || math.Abs(e.high-59.5) > 2 {
		t.Errorf("%v..%v, want about 39.5..59.5", e.low, e.high)
	}
}

func TestRoundsAreResampledAsAWhole(t *testing.T) {
	// Within a round the values agree, the rounds differ: the interval has to span the rounds.
	a := [][]float64{{1, 1, 1}, {2, 2, 2}, {3, 3, 3}}
	b := [][]float64{{1, 1, 1}, {1, 1, 1}, {1, 1, 1}}
	e := ratioOf(a, b)
	if e.value != 2 || e.low != 1 || e.high != 3 || e.samples != 9 || e.groups != 3 {
		t.Errorf("%+v, want 2 in 1..3 of 9 in 3 groups", e)
	}
}

func TestNoValuesAreNoPanic(t *testing.T) {
	if e := ratioOf(nil, nil); e.samples != 0 {
		t.Errorf("%+v", e)
	}
	if e := ratioOf([][]float64{{1}}, [][]float64{{}}); e.value != 0 {
		t.Errorf("%+v", e)
	}
}
