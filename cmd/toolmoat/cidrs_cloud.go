package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/cloud"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// cloudCluster is a command that asks a cloud for one cluster.
type cloudCluster struct {
	*cobra.Command          // without what it runs
	needs          []string // flags that must be given
	ask            func(ctx context.Context, cluster string) ([]source.File, []model.Unknown, error)
}

// newCloudCluster makes a subcommand of cidrs of what c says.
func newCloudCluster(s streams, c cloudCluster) *cobra.Command {
	var out cidrs
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return hinted{fmt.Errorf("%s takes the name of one cluster", cmd.Name()), cmd.CommandPath() + " --help has an example"}
		}
		for _, flag := range c.needs {
			if cmd.Flag(flag).Value.String() == "" {
				return hinted{fmt.Errorf("%s needs --%s", cmd.Name(), flag), cmd.CommandPath() + " --help says what it is"}
			}
		}
		if err := out.checkFormat(); err != nil {
			return err
		}
		files, missing, err := c.ask(cmd.Context(), args[0])
		var e *cloud.Error
		if errors.As(err, &e) && e.Hint != "" {
			return hinted{err, e.Hint}
		}
		if err != nil {
			return err
		}
		return out.print(s, files, missing)
	}
	out.register(c.Command)
	return c.Command
}
