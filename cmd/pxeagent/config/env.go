package config

import (
	"regexp"
	"slices"
	"strings"

	"pxeagent/cmd/pxeagent/cli"
)

const envPrefix = "PXEAGENT_"

// Variables that are not keys. The secrets are read by ReadSecret only, and stand in no
// setting; PXEAGENT_REQUIRE_E2E is of the tests.
const (
	EnvConfig     = "PXEAGENT_CONFIG"
	envPageToken  = "PXEAGENT_PAGE_TOKEN"
	envRootShadow = "PXEAGENT_MENU_ROOT_SHADOW"
	envWebhook    = "PXEAGENT_WEBHOOK_SECRET"
	envE2E        = "PXEAGENT_REQUIRE_E2E"
)

// Kubernetes sets these in every pod of a namespace that has a service named pxeagent.
var serviceEnv = regexp.MustCompile(
	`^PXEAGENT_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// checkEnviron finds the variables that look like keys and are none. Their values are not
// shown: they may be secrets.
func (s *Schema) checkEnviron(environ []string) Mistakes {
	variables := s.variables()
	var found Mistakes
	for _, e := range slices.Sorted(slices.Values(environ)) {
		name, _, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, envPrefix) || name == envE2E || slices.Contains(variables, name) ||
			serviceEnv.MatchString(name) {
			continue
		}
		found.add("", Origin{layer: fromEnv, name: name}, "%s", unknownVariable(name, variables))
	}
	return found
}

// variables are all that are read: those of the keys, of secrets, and the one that names the file.
func (s *Schema) variables() []string {
	var all []string
	for _, k := range s.keys {
		all = append(all, k.Env())
	}
	all = append(all, EnvConfig)
	for _, src := range s.secrets {
		all = append(all, src.Env)
	}
	return all
}

func unknownVariable(name string, variables []string) string {
	var rests []string
	for _, n := range variables {
		rests = append(rests, strings.TrimPrefix(n, envPrefix))
	}
	if best := cli.Nearest(strings.TrimPrefix(name, envPrefix), rests); best != "" {
		return "unknown variable; did you mean " + envPrefix + best + "?"
	}
	return "unknown variable; `pxeagent config show` lists the keys, and each is a variable"
}
