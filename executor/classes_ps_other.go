//go:build !linux

package main

import "github.com/urfave/cli/v2"

func classesPS(*cli.Context) error {
	return cli.Exit("classes ps: works on Linux only, whose cgroups it lists; the other commands of classes work here", exitUsage)
}
