package main

import (
	"regexp"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// No command takes a secret as an argument, where every user of the machine can read
// it (K4).
func TestCommands_K4_TakeNoSecrets(t *testing.T) {
	t.Parallel()
	secret := regexp.MustCompile(`(?i)password|secret|token|credential|(^|-)key$`)
	seen := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			seen++
			if secret.MatchString(f.Name) {
				t.Errorf("%s --%s", c.CommandPath(), f.Name)
			}
		})
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand())
	if seen < 20 {
		t.Errorf("only %d flags were looked at", seen)
	}
	if operatorActor.Kind != "system" || operatorActor.ID != "operator" {
		t.Errorf("what an operator does is recorded as %+v", operatorActor)
	}
}
