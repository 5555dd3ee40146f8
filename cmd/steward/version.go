package main

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/stewardhq/steward/commands/platform"
	"github.com/stewardhq/steward/events"
)

func newVersionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program and of what it stores",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := struct {
				Version  string `json:"version"`
				Go       string `json:"go"`
				Format   int    `json:"log_format"`
				Metadata int    `json:"metadata_schema"`
			}{version, runtime.Version(), platform.Format, events.MetadataSchema}
			if output == outputJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(v)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "steward %s (%s), log format %d, metadata schema %d\n",
				v.Version, v.Go, v.Format, v.Metadata)
			return err
		},
	}
	addOutputFlag(cmd, &output)
	return cmd
}
