//go:build !linux

package main

import "github.com/urfave/cli/v2"

func gc(*cli.Context) error {
	return cli.Exit("gc: works on Linux only, on a host of executors", exitUsage)
}
