//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// estimate is a value with its 95 % interval, if [estimate.sure].
type estimate struct {
	value, low, high float64
	samples          int // what was measured
	groups           int // what is independent: each sample, or rounds of many
}

// fewestGroups is how many groups an interval takes. Of fewer the resamples are the same few, and their spread means nothing.
const fewestGroups = 5

// sure reports whether the interval means something.
func (e estimate) sure() bool { return e.groups >= fewestGroups }

// count says of what the estimate is made.
func (e estimate) count() string {
	if e.groups == e.samples {
		return fmt.Sprintf("n=%d", e.samples)
	}
	rounds := "rounds"
	if e.groups == 1 {
		rounds = "round"
	}
	return fmt.Sprintf("%d %s of %d", e.groups, rounds, e.samples/e.groups)
}

// resamples is the number of bootstrap samples: the interval's own noise is then a few percent of its width.
const resamples = 2000

// median returns the middle value, or the mean of the two middle ones; 0 for no values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// spread says between what most values lie.
func spread(values []float64) string {
	return fmt.Sprintf("least %s, 95th percentile %s ms", number(percentile(values, 0)), number(percentile(values, 95)))
}

// percentile returns the least value that at least p percent of the values do not exceed (the nearest rank); 0 for no values.
func percentile(values []float64, p int) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}

// medianOf estimates the median of independent values.
func medianOf(values []float64) estimate {
	e := bootstrap(len(values), func(pick []int) float64 { return median(choose(values, pick)) })
	e.samples = len(values)
	return e
}

// ratioOf estimates the ratio of the medians of a and b. Both have the same number of groups: a pair's single values, or a
// round's many. A group is resampled as a whole and for both sides together, for what disturbs a round disturbs all of it.
func ratioOf(a, b [][]float64) estimate {
	e := bootstrap(len(a), func(pick []int) float64 {
		below := median(slices.Concat(choose(b, pick)...))
		if below == 0 {
			return 0
		}
		return median(slices.Concat(choose(a, pick)...)) / below
	})
	e.samples = len(slices.Concat(a...))
	return e
}

// differenceOf estimates the difference of the medians of a and b, which have as many values, measured side by side.
func differenceOf(a, b []float64) estimate {
	e := bootstrap(len(a), func(pick []int) float64 { return median(choose(a, pick)) - median(choose(b, pick)) })
	e.samples = len(a)
	return e
}

// bootstrap computes a statistic of n groups, and the percentile interval of it (Efron) over samples of n groups drawn
// with replacement. The seed is fixed: the same values have the same interval.
func bootstrap(n int, statistic func(pick []int) float64) estimate {
	if n == 0 {
		return estimate{}
	}
	pick := make([]int, n)
	for i := range pick {
		pick[i] = i
	}
	e := estimate{value: statistic(pick), groups: n}
	random := rand.New(rand.NewPCG(1, 2))
	drawn := make([]float64, resamples)
	for i := range drawn {
		for j := range pick {
			pick[j] = random.IntN(n)
		}
		drawn[i] = statistic(pick)
	}
	slices.Sort(drawn)
	const tail = resamples * 25 / 1000
	e.low, e.high = drawn[tail], drawn[resamples-1-tail]
	return e
}

func choose[T any](from []T, pick []int) []T {
	chosen := make([]T, len(pick))
	for i, p := range pick {
		chosen[i] = from[p]
	}
	return chosen
}

// singly makes a group of each value.
func singly(values []float64) [][]float64 {
	groups := make([][]float64, len(values))
	for i, v := range values {
		groups[i] = []float64{v}
	}
	return groups
}
