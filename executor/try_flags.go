package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"
)

// span is a flag's value: a time longer than 0; 0 until it is set.
type span time.Duration

// Set takes what time.ParseDuration takes; its errors say what to write.
func (s *span) Set(text string) error {
	d, err := time.ParseDuration(text)
	if _, number := strconv.ParseFloat(text, 64); err != nil && number == nil {
		return fmt.Errorf("the unit is missing: write %ss for seconds, or another of the units ms, s, m and h", text)
	}
	if err != nil {
		return errors.New("not a duration: write a number and its unit, such as 3s; the units are ms, s, m and h")
	}
	if d <= 0 {
		return errors.New("it must be longer than 0s; leave the flag out for never")
	}
	*s = span(d)
	return nil
}

func (s *span) String() string { return time.Duration(*s).String() }

// onlyArgument returns the one bare word.
func onlyArgument(c *cli.Context) (string, error) {
	if c.NArg() == 0 {
		return "", errors.New("it needs a task file; see --help")
	}
	words, err := arguments(c)
	if err == nil && len(words) > 1 {
		return "", fmt.Errorf("it takes one %s, and %q is one more; see --help", c.Command.ArgsUsage, words[1])
	}
	if err != nil {
		return "", err
	}
	return words[0], nil
}

// arguments returns the bare words; flags may also stand between and behind them, where the flag parser leaves them alone.
func arguments(c *cli.Context) ([]string, error) {
	var words []string
	for rest := c.Args().Slice(); len(rest) > 0; {
		words = append(words, rest[0])
		late := flag.NewFlagSet(c.Command.Name, flag.ContinueOnError)
		late.SetOutput(io.Discard)
		for _, f := range c.Command.Flags {
			if err := f.Apply(late); err != nil {
				return nil, err
			}
		}
		if err := late.Parse(rest[1:]); err != nil {
			return nil, errors.New(dashed(err) + "; see --help")
		}
		rest = late.Args()
		var err error
		late.Visit(func(f *flag.Flag) {
			values := []string{f.Value.String()}
			if list, ok := f.Value.(*cli.StringSlice); ok {
				values = list.Value() // which add up
			}
			for _, value := range values {
				if setErr := c.Set(f.Name, value); err == nil {
					err = setErr
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	if c.Bool("help") {
		return nil, flag.ErrHelp
	}
	return words, nil
}
